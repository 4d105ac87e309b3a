package emrserverless

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Task is one attempt of a job run, ready for a Runner.
type Task struct {
	Application, JobRun, Name string
	Attempt                   int
	EntryPoint                string
	Arguments                 []string
	Parameters                []string          // sparkSubmitParameters, split into words
	Defaults                  map[string]string // the spark-defaults classification
	Env                       []string          // the job's own view of AWS
	S3Endpoint                string            // "" = no emulated AWS
	Region                    string
	Dir                       string // scratch, removed afterwards
	Stdout, Stderr            *os.File
	// Fetch reads an object of the emulated S3 with the emulator's own rights.
	Fetch func(ctx context.Context, location string) ([]byte, error)
	// Put writes one and returns its ETag.
	Put func(ctx context.Context, location string, body []byte) (etag string, err error)
}

// Exit is how an attempt ended by itself.
type Exit struct {
	Code int
	Err  error // it could not be carried out at all
}

// Runner carries out attempts.
type Runner interface {
	// Run carries out one attempt. It returns when nothing of it is left, and
	// soon after ctx ends.
	Run(ctx context.Context, t Task) Exit
}

// surroundings are what one attempt gets.
type surroundings struct {
	task  Task
	gate  *gate
	gates *gates // where the gate is known
	logs  *delivery
}

func (a *surroundings) close() {
	_ = a.task.Stdout.Close()
	_ = a.task.Stderr.Close()
	if a.gate != nil {
		a.gates.remove(a.gate)
		a.gate.close()
	}
}

// endpoints are the services that a job calls: the suffix of the environment
// variable that names the endpoint, by the name of the VPC endpoint.
var endpoints = map[string]string{
	"s3": "S3", "secretsmanager": "SECRETS_MANAGER", "glue": "GLUE", "sts": "STS", "logs": "CLOUDWATCH_LOGS", "kms": "KMS",
}

// surround prepares an attempt. An error is the job's stateDetails.
func (s *Server) surround(ctx context.Context, j *job, dir string) (*surroundings, error) {
	submit := j.in.Driver.SparkSubmit
	words, err := parameters(submit.Parameters)
	if err != nil {
		return nil, err
	}
	a := &surroundings{logs: &delivery{}, gates: &s.gates}
	a.task = Task{
		Application: j.app, JobRun: j.id, Name: j.in.Name, Attempt: j.attempt, EntryPoint: submit.EntryPoint, Arguments: submit.EntryPointArguments,
		Parameters: words, Defaults: defaultsOf(j.in.Overrides), Region: s.cfg.Region, Dir: dir,
	}
	if a.task.Stdout, err = os.Create(filepath.Join(dir, "stdout")); err == nil { //nolint:gosec // G304: below our own directory
		a.task.Stderr, err = os.Create(filepath.Join(dir, "stderr")) //nolint:gosec // G304: as above
	}
	if err == nil && s.cfg.Cloud != nil {
		err = s.connect(ctx, j, a)
	}
	if err != nil {
		a.close()
		return nil, err
	}
	return a, nil
}

// connect gives the attempt its view of the emulated AWS.
func (s *Server) connect(ctx context.Context, j *job, a *surroundings) error {
	cloud := s.cfg.Cloud
	a.task.Fetch, a.task.Put = cloud.object, cloud.put
	r, err := cloud.role(ctx, j.in.ExecutionRoleARN)
	if err != nil {
		return err
	}
	if r == nil || !r.trusted {
		return fmt.Errorf("Job failed: the execution role %s cannot be assumed: it does not exist or its trust policy does not name emr-serverless.amazonaws.com", //nolint:staticcheck // ST1005: the service's text
			j.in.ExecutionRoleARN)
	}
	s.mu.Lock()
	app := s.apps[j.app]
	monitored := app.in.Monitoring
	var subnets, groups []string
	if n := app.in.Network; n != nil {
		subnets, groups = n.SubnetIDs, n.SecurityGroupIDs
	}
	s.mu.Unlock()
	reach, err := cloud.network(ctx, subnets, groups)
	if err != nil {
		return fmt.Errorf("Job failed: %w", err) //nolint:staticcheck // ST1005: the service's text
	}
	session, err := s.sessionPolicies(ctx, j.in.ExecutionPolicy)
	if err != nil {
		return err
	}
	roleName := j.in.ExecutionRoleARN[strings.LastIndex(j.in.ExecutionRoleARN, "/")+1:]
	a.gate = &gate{
		called: s.called, cloud: cloud, account: s.cfg.Account, region: s.cfg.Region, key: "ASIA" + rand.Text()[:16], role: r, session: session,
		caller: "arn:aws:sts::" + s.cfg.Account + ":assumed-role/" + roleName + "/" + j.id, keys: Credential{Secret: rand.Text(), Token: rand.Text()},
	}
	s.gates.add(a.gate)
	if err = a.gate.open(ctx); err != nil {
		return err
	}
	nowhere, err := s.nowhere(ctx)
	if err != nil {
		return err
	}
	a.task.Env, a.task.S3Endpoint = s.jobEnv(a.gate, reach, nowhere), nowhere
	if reach.reaches("s3") {
		a.task.S3Endpoint = a.gate.url
	}
	if j.in.Overrides != nil && j.in.Overrides.Monitoring != nil {
		monitored = j.in.Overrides.Monitoring
	}
	a.logs, err = s.deliver(ctx, j, a, monitored, reach, nowhere)
	return err
}

func (s *Server) sessionPolicies(ctx context.Context, p *rolePolicy) ([]policy, error) {
	if p == nil {
		return nil, nil
	}
	documents := []string{}
	if p.Policy != "" {
		documents = append(documents, p.Policy)
	}
	for _, arn := range p.PolicyARNs {
		doc, err := s.cfg.Cloud.managed(ctx, arn)
		if err != nil {
			return nil, err
		}
		documents = append(documents, doc)
	}
	all := []policy{}
	for _, doc := range documents {
		parsed, err := parsePolicy(doc)
		if err != nil {
			return nil, errors.Join(errors.New("Job failed: executionIamPolicy is not a policy"), err) //nolint:staticcheck // ST1005: the service's text
		}
		all = append(all, parsed)
	}
	return all, nil
}

// jobEnv are the job's region, keys and endpoints.
func (s *Server) jobEnv(g *gate, reach network, nowhere string) []string {
	env := []string{
		"AWS_REGION=" + s.cfg.Region, "AWS_DEFAULT_REGION=" + s.cfg.Region,
		"AWS_ACCESS_KEY_ID=" + g.key, "AWS_SECRET_ACCESS_KEY=" + g.keys.Secret, "AWS_SESSION_TOKEN=" + g.keys.Token,
		"AWS_EC2_METADATA_DISABLED=true", "NO_PROXY=*",
	}
	rest := nowhere
	if reach.everything {
		rest = g.url
	}
	env = append(env, "AWS_ENDPOINT_URL="+rest)
	for name, suffix := range endpoints {
		at := g.url
		if !reach.reaches(name) { // errors name the URL: the path tells the service, as the host does in AWS
			at = nowhere + "/" + name + "." + s.cfg.Region + ".amazonaws.com"
		}
		env = append(env, "AWS_ENDPOINT_URL_"+suffix+"="+at)
	}
	return env
}

// nowhere is an address that never answers.
func (s *Server) nowhere(ctx context.Context) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.hole == nil {
		hole, err := digHole(ctx)
		if err != nil {
			return "", err
		}
		s.hole = hole
	}
	return "http://" + s.hole.addr, nil
}
