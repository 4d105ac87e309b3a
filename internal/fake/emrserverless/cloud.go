package emrserverless

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	logtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
)

// Cloud is the emulated AWS around the emulator: where scripts and logs are,
// and whose IAM and EC2 state decides what a job can do.
type Cloud struct {
	endpoint *url.URL
	ec2      *ec2.Client
	iam      *iam.Client
	logs     *cloudwatchlogs.Client
	s3       *s3.Client
	secrets  *secretsmanager.Client
}

// NewCloud returns the emulated AWS that cfg.BaseEndpoint names.
func NewCloud(cfg aws.Config) (*Cloud, error) {
	endpoint, err := url.Parse(aws.ToString(cfg.BaseEndpoint))
	if err != nil || endpoint.Host == "" {
		return nil, fmt.Errorf("the emulated AWS has no endpoint")
	}
	return &Cloud{
		endpoint: endpoint, ec2: ec2.NewFromConfig(cfg), iam: iam.NewFromConfig(cfg), logs: cloudwatchlogs.NewFromConfig(cfg),
		s3:      s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = true }),
		secrets: secretsmanager.NewFromConfig(cfg),
	}, nil
}

// role is an execution role with all that it allows.
type role struct {
	trusted  bool // by emr-serverless.amazonaws.com
	policies []policy
}

// role reads a role by its ARN; nil when there is none.
func (c *Cloud) role(ctx context.Context, arn string) (*role, error) {
	name := arn[strings.LastIndex(arn, "/")+1:]
	got, err := c.iam.GetRole(ctx, &iam.GetRoleInput{RoleName: &name})
	if isNotFound(err) || err == nil && aws.ToString(got.Role.Arn) != arn {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the role %s: %w", name, err)
	}
	out := &role{}
	trust, err := parsePolicy(aws.ToString(got.Role.AssumeRolePolicyDocument))
	if err != nil {
		return nil, err
	}
	out.trusted = trusts(trust, "emr-serverless.amazonaws.com")
	inline, err := c.iam.ListRolePolicies(ctx, &iam.ListRolePoliciesInput{RoleName: &name})
	if err != nil {
		return nil, fmt.Errorf("list the policies of %s: %w", name, err)
	}
	for _, policyName := range inline.PolicyNames {
		var doc *iam.GetRolePolicyOutput
		doc, err = c.iam.GetRolePolicy(ctx, &iam.GetRolePolicyInput{RoleName: &name, PolicyName: &policyName})
		if err != nil {
			return nil, fmt.Errorf("read the policy %s: %w", policyName, err)
		}
		if err = out.add(aws.ToString(doc.PolicyDocument)); err != nil {
			return nil, err
		}
	}
	attached, err := c.iam.ListAttachedRolePolicies(ctx, &iam.ListAttachedRolePoliciesInput{RoleName: &name})
	if err != nil {
		return nil, fmt.Errorf("list the policies attached to %s: %w", name, err)
	}
	for _, p := range attached.AttachedPolicies {
		var doc string
		if doc, err = c.managed(ctx, aws.ToString(p.PolicyArn)); err != nil {
			return nil, err
		}
		if err = out.add(doc); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (r *role) add(document string) error {
	p, err := parsePolicy(document)
	if err == nil {
		r.policies = append(r.policies, p)
	}
	return err
}

// managed reads the default version of a managed policy.
func (c *Cloud) managed(ctx context.Context, arn string) (string, error) {
	p, err := c.iam.GetPolicy(ctx, &iam.GetPolicyInput{PolicyArn: &arn})
	if err != nil {
		return "", fmt.Errorf("read the policy %s: %w", arn, err)
	}
	v, err := c.iam.GetPolicyVersion(ctx, &iam.GetPolicyVersionInput{PolicyArn: &arn, VersionId: p.Policy.DefaultVersionId})
	if err != nil {
		return "", fmt.Errorf("read the policy %s: %w", arn, err)
	}
	return aws.ToString(v.PolicyVersion.Document), nil
}

// network is what can be reached from an application.
type network struct {
	everything bool            // no VPC, or a route to a NAT gateway
	services   map[string]bool // by endpoint name, like logs or secretsmanager
}

func (n network) reaches(service string) bool { return n.everything || n.services[service] }

// network looks at the subnets of an application: routes, and the VPC
// endpoints that its security groups let it use.
func (c *Cloud) network(ctx context.Context, subnets, groups []string) (network, error) {
	if len(subnets) == 0 {
		return network{everything: true}, nil
	}
	out := network{services: map[string]bool{}}
	found, err := c.ec2.DescribeSubnets(ctx, &ec2.DescribeSubnetsInput{SubnetIds: subnets})
	if err != nil || len(found.Subnets) == 0 {
		return out, fmt.Errorf("the subnets %s of the application do not exist", strings.Join(subnets, ", "))
	}
	vpc := ec2types.Filter{Name: aws.String("vpc-id"), Values: []string{aws.ToString(found.Subnets[0].VpcId)}}
	tables, err := c.ec2.DescribeRouteTables(ctx, &ec2.DescribeRouteTablesInput{Filters: []ec2types.Filter{vpc}})
	if err != nil {
		return out, fmt.Errorf("read the route tables: %w", err)
	}
	mine := tablesOf(tables.RouteTables, subnets)
	for _, t := range mine {
		for _, r := range t.Routes {
			out.everything = out.everything || aws.ToString(r.DestinationCidrBlock) == "0.0.0.0/0" && aws.ToString(r.NatGatewayId) != ""
		}
	}
	endpoints, err := c.ec2.DescribeVpcEndpoints(ctx, &ec2.DescribeVpcEndpointsInput{Filters: []ec2types.Filter{vpc}})
	if err != nil {
		return out, fmt.Errorf("read the VPC endpoints: %w", err)
	}
	for _, e := range endpoints.VpcEndpoints {
		name := aws.ToString(e.ServiceName)
		name = name[strings.LastIndex(name, ".")+1:]
		switch {
		case !strings.EqualFold(string(e.State), "available"):
		case e.VpcEndpointType == ec2types.VpcEndpointTypeGateway:
			out.services[name] = out.services[name] || routed(e.RouteTableIds, mine)
		case aws.ToBool(e.PrivateDnsEnabled):
			open, err := c.admits(ctx, e.Groups, groups)
			if err != nil {
				return out, err
			}
			out.services[name] = out.services[name] || open
		}
	}
	return out, nil
}

// tablesOf are the route tables of the subnets, else the main one.
func tablesOf(all []ec2types.RouteTable, subnets []string) []ec2types.RouteTable {
	var own, main []ec2types.RouteTable
	for _, t := range all {
		for _, a := range t.Associations {
			for _, id := range subnets {
				if aws.ToString(a.SubnetId) == id {
					own = append(own, t)
				}
			}
			if aws.ToBool(a.Main) {
				main = append(main, t)
			}
		}
	}
	if len(own) > 0 {
		return own
	}
	return main
}

func routed(ids []string, tables []ec2types.RouteTable) bool {
	for _, t := range tables {
		for _, id := range ids {
			if id == aws.ToString(t.RouteTableId) {
				return true
			}
		}
	}
	return false
}

// admits reports whether an endpoint's security groups let HTTPS in from the
// application: from one of its groups, or from an address range at all.
func (c *Cloud) admits(ctx context.Context, endpoint []ec2types.SecurityGroupIdentifier, from []string) (bool, error) {
	var ids []string
	for _, g := range endpoint {
		ids = append(ids, aws.ToString(g.GroupId))
	}
	if len(ids) == 0 {
		return true, nil
	}
	groups, err := c.ec2.DescribeSecurityGroups(ctx, &ec2.DescribeSecurityGroupsInput{GroupIds: ids})
	if err != nil {
		return false, fmt.Errorf("read the security groups of a VPC endpoint: %w", err)
	}
	for _, g := range groups.SecurityGroups {
		for _, p := range g.IpPermissions {
			if aws.ToString(p.IpProtocol) != "-1" && (aws.ToInt32(p.FromPort) > 443 || aws.ToInt32(p.ToPort) < 443) {
				continue
			}
			if len(p.IpRanges) > 0 {
				return true, nil
			}
			for _, pair := range p.UserIdGroupPairs {
				for _, id := range from {
					if aws.ToString(pair.GroupId) == id {
						return true, nil
					}
				}
			}
		}
	}
	return false, nil
}

// object reads an object by its s3:// URL.
func (c *Cloud) object(ctx context.Context, location string) ([]byte, error) {
	bucket, key, err := splitS3(location)
	if err != nil {
		return nil, err
	}
	got, err := c.s3.GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: &key})
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", location, err)
	}
	defer func() { _ = got.Body.Close() }()
	return io.ReadAll(got.Body)
}

// put writes an object by its s3:// URL and returns its ETag.
func (c *Cloud) put(ctx context.Context, location string, body []byte) (etag string, err error) {
	bucket, key, err := splitS3(location)
	if err != nil {
		return "", err
	}
	out, err := c.s3.PutObject(ctx, &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: bytes.NewReader(body)})
	if err != nil {
		return "", fmt.Errorf("write %s: %w", location, err)
	}
	return strings.Trim(aws.ToString(out.ETag), `"`), nil
}

func splitS3(location string) (bucket, key string, err error) {
	rest, ok := strings.CutPrefix(location, "s3://")
	bucket, key, _ = strings.Cut(rest, "/")
	if !ok || bucket == "" || key == "" {
		return "", "", fmt.Errorf("%q is not an s3:// URL of an object", location)
	}
	return bucket, key, nil
}

// openStream makes a log stream and its group.
func (c *Cloud) openStream(ctx context.Context, group, stream string) error {
	_, err := c.logs.CreateLogGroup(ctx, &cloudwatchlogs.CreateLogGroupInput{LogGroupName: &group})
	if err != nil && !isExisting(err) {
		return fmt.Errorf("create the log group %s: %w", group, err)
	}
	_, err = c.logs.CreateLogStream(ctx, &cloudwatchlogs.CreateLogStreamInput{LogGroupName: &group, LogStreamName: &stream})
	if err != nil && !isExisting(err) {
		return fmt.Errorf("create the log stream %s: %w", stream, err)
	}
	return nil
}

func (c *Cloud) putLines(ctx context.Context, group, stream string, events []logtypes.InputLogEvent) error {
	_, err := c.logs.PutLogEvents(ctx, &cloudwatchlogs.PutLogEventsInput{LogGroupName: &group, LogStreamName: &stream, LogEvents: events})
	if err != nil {
		return fmt.Errorf("write log events: %w", err)
	}
	return nil
}

// secretARN is the full ARN of a secret that a call names by name or ARN; what
// it names when there is none.
func (c *Cloud) secretARN(ctx context.Context, id string) string {
	got, err := c.secrets.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: &id})
	if err != nil {
		return id
	}
	return aws.ToString(got.ARN)
}

// code is the name of an error of AWS, "" for any other.
func code(err error) string {
	var api interface{ ErrorCode() string }
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}

func isNotFound(err error) bool { return strings.HasPrefix(code(err), "NoSuchEntity") }

func isExisting(err error) bool { return code(err) == "ResourceAlreadyExistsException" }

// parsePolicy reads a policy document, URL-encoded as IAM gives them or not.
func parsePolicy(document string) (policy, error) {
	if strings.HasPrefix(document, "%7B") {
		plain, err := url.QueryUnescape(document)
		if err != nil {
			return policy{}, fmt.Errorf("decode a policy: %w", err)
		}
		document = plain
	}
	var p policy
	if err := json.Unmarshal([]byte(document), &p); err != nil {
		return policy{}, fmt.Errorf("read a policy: %w", err)
	}
	return p, nil
}
