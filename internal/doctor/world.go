package doctor

import (
	"context"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/emrserverless"
	emrtypes "github.com/aws/aws-sdk-go-v2/service/emrserverless/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// world is what several checks look at, fetched once for all of them.
type world struct {
	Config
	identity func(context.Context) (*identity, error)
	app      func(context.Context) (*emrtypes.Application, error)
	subnets  func(context.Context) ([]ec2types.Subnet, error)
	groups   func(context.Context) ([]ec2types.SecurityGroup, error)
	points   func(context.Context) ([]ec2types.VpcEndpoint, error)
	policies func(context.Context) (map[string]policy, error) // inline, of the execution role
	standard func(context.Context) (map[string]policy, error) // inline, of the standard jobs' role
}

type identity struct {
	account, arn string
	at           time.Time // of the answer, by AWS's clock; zero = not told
}

// once fetches with the first caller's context and keeps the outcome for all.
// The first caller's time limit is as long as anybody's.
func once[T any](fetch func(context.Context) (T, error)) func(context.Context) (T, error) {
	var (
		mu   sync.Mutex
		done bool
		v    T
		err  error
	)
	return func(ctx context.Context) (T, error) {
		mu.Lock()
		defer mu.Unlock()
		if !done {
			v, err = fetch(ctx)
			done = true
		}
		return v, err
	}
}

func newWorld(c Config) *world {
	w := &world{Config: c}
	w.identity = once(w.fetchIdentity)
	w.app = once(func(ctx context.Context) (*emrtypes.Application, error) {
		out, err := c.AWS.Applications.GetApplication(ctx, &emrserverless.GetApplicationInput{ApplicationId: aws.String(c.Settings.Spark.EMRPostgresApplicationID)})
		if err != nil {
			return nil, err
		}
		return out.Application, nil
	})
	w.subnets = once(func(ctx context.Context) ([]ec2types.Subnet, error) {
		app, err := w.app(ctx)
		if err != nil || app.NetworkConfiguration == nil {
			return nil, err
		}
		out, err := c.AWS.Network.DescribeSubnets(ctx, &ec2.DescribeSubnetsInput{SubnetIds: app.NetworkConfiguration.SubnetIds})
		if err != nil {
			return nil, err
		}
		return out.Subnets, nil
	})
	w.groups = once(func(ctx context.Context) ([]ec2types.SecurityGroup, error) {
		app, err := w.app(ctx)
		if err != nil || app.NetworkConfiguration == nil {
			return nil, err
		}
		out, err := c.AWS.Network.DescribeSecurityGroups(ctx, &ec2.DescribeSecurityGroupsInput{GroupIds: app.NetworkConfiguration.SecurityGroupIds})
		if err != nil {
			return nil, err
		}
		return out.SecurityGroups, nil
	})
	w.points = once(func(ctx context.Context) ([]ec2types.VpcEndpoint, error) {
		vpc, err := w.vpc(ctx)
		if err != nil || vpc == "" {
			return nil, err
		}
		out, err := c.AWS.Network.DescribeVpcEndpoints(ctx, &ec2.DescribeVpcEndpointsInput{Filters: []ec2types.Filter{{Name: aws.String("vpc-id"), Values: []string{vpc}}}})
		if err != nil {
			return nil, err
		}
		return out.VpcEndpoints, nil
	})
	w.policies = once(func(ctx context.Context) (map[string]policy, error) { return w.fetchPolicies(ctx, w.roleName()) })
	w.standard = once(func(ctx context.Context) (map[string]policy, error) {
		return w.fetchPolicies(ctx, w.standardRoleName())
	})
	return w
}

func (w *world) fetchIdentity(ctx context.Context) (*identity, error) {
	id := &identity{}
	out, err := w.AWS.Identity.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{}, func(o *sts.Options) {
		o.APIOptions = append(o.APIOptions, func(s *middleware.Stack) error {
			return s.Deserialize.Add(middleware.DeserializeMiddlewareFunc("ReadDate",
				func(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (middleware.DeserializeOutput, middleware.Metadata, error) {
					out, meta, err := next.HandleDeserialize(ctx, in)
					if res, ok := out.RawResponse.(*smithyhttp.Response); ok {
						id.at, _ = time.Parse(time.RFC1123, res.Header.Get("Date")) // zero when it is not told
					}
					return out, meta, err
				}), middleware.After)
		})
	})
	if err != nil {
		return nil, err
	}
	id.account, id.arn = aws.ToString(out.Account), aws.ToString(out.Arn)
	return id, nil
}

// vpc is the VPC of the application's subnets; "" when it has none.
func (w *world) vpc(ctx context.Context) (string, error) {
	subnets, err := w.subnets(ctx)
	if err != nil || len(subnets) == 0 {
		return "", err
	}
	return aws.ToString(subnets[0].VpcId), nil
}

// roleName is the name of the execution role.
func (w *world) roleName() string {
	arn := w.Settings.Spark.ExecutionRoleARN
	if arn == "" {
		return "EMRServerlessExecutionRole"
	}
	return arn[strings.LastIndexByte(arn, '/')+1:]
}

// standardRoleName is the name of the role that jobs without PostgreSQL have
// for themselves; "" = none.
func (w *world) standardRoleName() string {
	arn := w.Settings.Spark.StandardExecutionRoleARN
	return arn[strings.LastIndexByte(arn, '/')+1:]
}

// fetchPolicies reads the inline policies of a role.
func (w *world) fetchPolicies(ctx context.Context, name string) (map[string]policy, error) {
	list, err := w.AWS.Roles.ListRolePolicies(ctx, &iam.ListRolePoliciesInput{RoleName: &name})
	if err != nil {
		return nil, err
	}
	out := map[string]policy{}
	for _, p := range list.PolicyNames {
		got, err := w.AWS.Roles.GetRolePolicy(ctx, &iam.GetRolePolicyInput{RoleName: &name, PolicyName: &p})
		if err != nil {
			return nil, err
		}
		// IAM returns documents URL-encoded.
		text, err := url.QueryUnescape(strings.ReplaceAll(aws.ToString(got.PolicyDocument), "+", "%2B"))
		if err != nil {
			text = aws.ToString(got.PolicyDocument)
		}
		if out[p], err = parsePolicy(text); err != nil {
			return nil, err
		}
	}
	return out, nil
}
