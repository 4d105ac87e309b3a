package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/agentcore"
	"github.com/sparkwright/sparkwright/internal/codegen"
	"github.com/sparkwright/sparkwright/internal/planner"
	"github.com/sparkwright/sparkwright/internal/server"
	"github.com/sparkwright/sparkwright/internal/settings"
)

func newAgentCommand(app *app) *cobra.Command {
	var addr string
	var guarded bool
	cmd := &cobra.Command{
		Use: "agent", Short: "Serve as a runtime of Amazon Bedrock AgentCore", Args: cobra.NoArgs,
		Long: "Serve POST /invocations and GET /ping, as AgentCore calls a container. The payloads\nare those of the reference system's Spark supervisor agent; their config goes over\nthis machine's settings. A server hands its runs to such a runtime when\nspark.supervisor_arn names it.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if host, _, err := net.SplitHostPort(addr); !guarded && (err != nil || !(&listening{addr: host}).loopback()) {
				return &sparkwright.Error{
					Code: sparkwright.CodeInvalid, Message: "the agent would be open to everybody who reaches " + addr, Because: "AgentCore asks for the login, not the agent",
					Remedy: "in AgentCore's container add --behind-agentcore; elsewhere listen on 127.0.0.1",
				}
			}
			return app.agent(cmd.Context(), addr)
		},
	}
	cmd.Flags().StringVar(&addr, "addr", "127.0.0.1:8080", "address to listen on; AgentCore calls 0.0.0.0:8080")
	cmd.Flags().BoolVar(&guarded, "behind-agentcore", false, "this is a container that only AgentCore reaches: any address may be listened on")
	return cmd
}

func (a *app) agent(ctx context.Context, addr string) error {
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", addr)
	if err != nil {
		return &sparkwright.Error{
			Code: sparkwright.CodeConflict, Message: "the agent cannot listen on " + addr, Because: err.Error(), Remedy: "choose another address with --addr", Err: err,
		}
	}
	requests, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	services := &agentServices{app: a, open: map[string]*app{}, handlers: map[string]http.Handler{}, life: requests}
	defer services.close()
	srv := &http.Server{
		Handler:           agentcore.NewAgent(agentcore.AgentConfig{Version: version, Open: services.handler, Log: a.log}),
		BaseContext:       func(net.Listener) context.Context { return requests },
		ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(listener) }()
	a.say("agent", "http://"+listener.Addr().String()+" · stop with Ctrl-C")
	select {
	case err = <-served:
		return sparkwright.Errorf(sparkwright.CodeInternal, "the agent stopped: %w", err)
	case <-ctx.Done():
	}
	grace, stop := context.WithTimeout(context.WithoutCancel(ctx), shutdownGrace)
	defer stop()
	if srv.Shutdown(grace) != nil {
		cancel()
	}
	return nil
}

// agentServices are the services of an agent, one for each configuration that
// payloads have brought.
type agentServices struct {
	app  *app
	life context.Context //nolint:containedctx // of what the services do in the background

	mu       sync.Mutex
	open     map[string]*app
	handlers map[string]http.Handler
}

// maxConfigurations is how many configurations one agent serves.
const maxConfigurations = 8

// handler implements agentcore.AgentConfig.Open.
func (s *agentServices) handler(_ context.Context, config map[string]any) (http.Handler, error) {
	key, err := json.Marshal(config)
	if err != nil {
		return nil, sparkwright.Errorf(sparkwright.CodeInvalid, "the config of the payload cannot be read: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if h := s.handlers[string(key)]; h != nil {
		return h, nil
	}
	if len(s.handlers) == maxConfigurations {
		return nil, &sparkwright.Error{
			Code: sparkwright.CodeResource, Message: "this agent serves too many configurations", Remedy: "start a session of its own for this one",
		}
	}
	child := newApp(s.app.stdin, s.app.stdout, s.app.stderr)
	child.quiet, child.log = true, s.app.log
	if child.home, err = settings.Home(); err != nil {
		return nil, err
	}
	over := configured(config)
	child.settings, err = settings.LoadEnv(child.home, func(name string) string {
		if v, ok := over[name]; ok {
			return v
		}
		return os.Getenv(name)
	})
	if err != nil {
		return nil, err
	}
	child.settings.Spark.SupervisorARN = "" // it is this one
	svc, err := child.service(s.life)       //nolint:contextcheck // lives as long as the agent, not as its first request
	if err != nil {
		return nil, err
	}
	edge, err := child.edge(s.life, nil) //nolint:contextcheck // lives as long as the agent, not as its first request
	if err != nil {
		return nil, err
	}
	if err = svc.Start(s.life); err != nil { //nolint:contextcheck // lives as long as the agent, not as its first request
		return nil, err
	}
	s.open[string(key)], s.handlers[string(key)] = child, server.New(edge)
	return s.handlers[string(key)], nil
}

func (s *agentServices) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, child := range s.open {
		child.close()
	}
}

// configured are the environment variables that stand for a payload's config.
// The reference puts the PostgreSQL application under emr_application_id, with
// the driver beside it.
func configured(config map[string]any) map[string]string {
	out := map[string]string{}
	for key, name := range map[string]string{
		"s3_bucket": "SPARK_S3_BUCKET", "lambda_function": "SPARK_LAMBDA_FUNCTION", "emr_application_id": "SPARK_EMR_APPLICATION_ID",
		"emr_postgres_application_id": "SPARK_EMR_POSTGRES_APPLICATION_ID", "max_retries": "SPARK_MAX_RETRIES",
		"file_size_threshold_mb": "SPARK_FILE_SIZE_THRESHOLD_MB", "result_preview_rows": "SPARK_RESULT_PREVIEW_ROWS",
		"presigned_url_expiry_hours": "SPARK_PRESIGNED_URL_EXPIRY_HOURS", "lambda_timeout_seconds": "SPARK_LAMBDA_TIMEOUT_SECONDS",
		"emr_timeout_minutes": "SPARK_EMR_TIMEOUT_MINUTES", "jdbc_driver_path": "POSTGRES_JDBC_DRIVER_PATH",
		"model_id": "GLOBAL_BEDROCK_MODEL", "code_gen_agent_arn": "GLOBAL_CODE_GEN_AGENT_ARN", "bedrock_region": "GLOBAL_BEDROCK_REGION",
	} {
		switch v := config[key].(type) {
		case string:
			out["SPARKWRIGHT_"+name] = v
		case float64:
			out["SPARKWRIGHT_"+name] = fmt.Sprintf("%.0f", v)
		}
	}
	if out["SPARKWRIGHT_POSTGRES_JDBC_DRIVER_PATH"] != "" {
		out["SPARKWRIGHT_SPARK_EMR_POSTGRES_APPLICATION_ID"] = out["SPARKWRIGHT_SPARK_EMR_APPLICATION_ID"]
	}
	maps.DeleteFunc(out, func(_, value string) bool { return value == "" })
	return out
}

// agentConfig is the config that goes along with a payload: all of
// settings.spark, for PostgreSQL tables with their application and driver.
func agentConfig(s *settings.Settings, postgres bool) map[string]any {
	sp := &s.Spark
	out := map[string]any{
		"s3_bucket": sp.S3Bucket, "lambda_function": sp.LambdaFunction, "emr_application_id": sp.EMRApplicationID,
		"emr_postgres_application_id": sp.EMRPostgresApplicationID, "max_retries": sp.MaxRetries,
		"file_size_threshold_mb": sp.FileSizeThresholdMB, "result_preview_rows": sp.ResultPreviewRows,
		"presigned_url_expiry_hours": sp.PresignedURLExpiryHours, "lambda_timeout_seconds": sp.LambdaTimeoutSeconds,
		"emr_timeout_minutes": sp.EMRTimeoutMinutes, "supervisor_arn": sp.SupervisorARN,
		"model_id": s.Global.BedrockModel, "code_gen_agent_arn": s.Global.CodeGenAgent, "bedrock_region": s.Global.BedrockRegion,
	}
	if postgres {
		out["emr_application_id"], out["jdbc_driver_path"] = sp.EMRPostgresApplicationID, s.Postgres.JDBCDriverPath
	}
	return out
}

// delegate is the agent of spark.supervisor_arn; nil when there is none.
func (a *app) delegate(ctx context.Context) (*agentcore.Delegate, error) {
	s, err := a.loadSettings()
	if err != nil || s.Spark.SupervisorARN == "" {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.agentOf == nil {
		c, err := newCloud(ctx, s)
		if err != nil {
			return nil, err
		}
		region := strings.SplitN(s.Spark.SupervisorARN, ":", 5)[3]
		c.cfg.Region = region
		a.agentOf = &agentcore.Delegate{
			Client: agentcore.NewClient(c.cfg, s.Spark.SupervisorARN), Log: a.log,
			Config: func(postgres bool) map[string]any { return agentConfig(s, postgres) },
		}
	}
	return a.agentOf, nil
}

// prototype generates with the agent of spark.supervisor_arn when that is one
// of the reference system, and by the planner otherwise: an agent of ours
// carries out whole runs.
type prototype struct {
	delegate *agentcore.Delegate
	planner  sparkwright.Generator
	agent    sparkwright.Generator
}

// Generate implements sparkwright.Generator.
func (p *prototype) Generate(ctx context.Context, req sparkwright.GenerateRequest) (*sparkwright.GenerateReply, error) {
	ours, err := p.delegate.Ours(ctx)
	if err != nil {
		return nil, err
	}
	if ours {
		return p.planner.Generate(ctx, req)
	}
	return p.agent.Generate(ctx, req)
}

func (a *app) prototypeGenerator(ctx context.Context) (sparkwright.Generator, string, error) {
	d, err := a.delegate(ctx)
	if err != nil {
		return nil, "", err
	}
	model := agentcore.NewModel(d.Client, a.settings.Global.BedrockModel)
	return &prototype{delegate: d, planner: planner.New(), agent: codegen.New(model, codegenOptions(a.settings))}, "agent " + model.Name(), nil
}
