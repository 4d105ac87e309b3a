package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/sparkwright/sparkwright"
)

func networkChecks(w *world) []Check {
	if w.Settings.Spark.EMRPostgresApplicationID == "" {
		return nil
	}
	return []Check{
		networkDNS(w), networkEndpoint(w, "logs", "CloudWatch Logs", "network.endpoint.logs"),
		networkEndpoint(w, "secretsmanager", "Secrets Manager", "network.endpoint.secretsmanager"),
		networkS3(w), networkOptional(w), networkEndpointGroups(w), networkPostgres(w), networkSubnets(w), networkAddresses(w),
	}
}

const workers = 10 // addresses that a job may take, with room

func networkDNS(w *world) Check {
	return Check{
		Info: Info{ID: "network.dns", Group: "network", Title: "the VPC resolves names", How: "ec2:DescribeVpcAttribute enableDnsSupport, enableDnsHostnames", Cheap: true, Needs: "emr.network"},
		Run: func(ctx context.Context) Finding {
			vpc, err := w.vpc(ctx)
			if err != nil || vpc == "" {
				return blindOrSkip(err, "ec2:DescribeSubnets")
			}
			for _, name := range []ec2types.VpcAttributeName{ec2types.VpcAttributeNameEnableDnsSupport, ec2types.VpcAttributeNameEnableDnsHostnames} {
				out, err := w.AWS.Network.DescribeVpcAttribute(ctx, &ec2.DescribeVpcAttributeInput{VpcId: &vpc, Attribute: name})
				if err != nil {
					return blind(err, "ec2:DescribeVpcAttribute")
				}
				value, flag := out.EnableDnsSupport, "--enable-dns-support"
				if name == ec2types.VpcAttributeNameEnableDnsHostnames {
					value, flag = out.EnableDnsHostnames, "--enable-dns-hostnames"
				}
				if value == nil || !aws.ToBool(value.Value) {
					return fail(string(name)+" is off in "+vpc, "names of PostgreSQL and of the endpoints do not resolve",
						command("aws ec2 modify-vpc-attribute --vpc-id "+vpc+" "+flag), terraform("enable_dns_support   = true\nenable_dns_hostnames = true"))
				}
			}
			return ok(vpc)
		},
	}
}

func blindOrSkip(err error, action string) Finding {
	if err == nil {
		return skip("the application has no VPC")
	}
	return blind(err, action)
}

// endpoint finds the interface endpoint of a service, the best one first.
func endpoint(points []ec2types.VpcEndpoint, service string) *ec2types.VpcEndpoint {
	var found *ec2types.VpcEndpoint
	for i, p := range points {
		gone := slices.Contains([]string{"deleted", "deleting", "rejected", "failed", "expired"}, strings.ToLower(string(p.State)))
		if !gone && strings.HasSuffix(aws.ToString(p.ServiceName), "."+service) && (found == nil || strings.EqualFold(string(p.State), "available")) {
			found = &points[i]
		}
	}
	return found
}

// makeEndpoint are the fixes that make an interface endpoint.
func (w *world) makeEndpoint(ctx context.Context, service string) []Fix {
	vpc, _ := w.vpc(ctx) // the texts are of use without it too
	var subnets, groups []string
	if app, err := w.app(ctx); err == nil && app.NetworkConfiguration != nil {
		subnets, groups = app.NetworkConfiguration.SubnetIds, app.NetworkConfiguration.SecurityGroupIds
	}
	name := "com.amazonaws." + w.AWS.Region + "." + service
	return []Fix{
		command(fmt.Sprintf("aws ec2 create-vpc-endpoint --region %s --vpc-id %s --vpc-endpoint-type Interface --service-name %s --private-dns-enabled --subnet-ids %s --security-group-ids %s",
			w.AWS.Region, vpc, name, strings.Join(subnets, " "), strings.Join(groups, " "))),
		terraform(fmt.Sprintf("resource \"aws_vpc_endpoint\" %q {\n  vpc_id              = %q\n  service_name        = %q\n  vpc_endpoint_type   = \"Interface\"\n  private_dns_enabled = true\n  subnet_ids          = [%s]\n  security_group_ids  = [%s]\n}",
			service, vpc, name, quoted(subnets), quoted(groups))),
	}
}

func quoted(list []string) string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = fmt.Sprintf("%q", s)
	}
	return strings.Join(out, ", ")
}

func networkEndpoint(w *world, service, title, id string) Check {
	return Check{
		Info: Info{ID: id, Group: "network", Title: "the VPC has an endpoint for " + title, How: "ec2:DescribeVpcEndpoints: state available, type Interface, private DNS, a subnet of the application", Cheap: true, Needs: "emr.network"},
		Run: func(ctx context.Context) Finding {
			points, err := w.points(ctx)
			if err != nil {
				return blind(err, "ec2:DescribeVpcEndpoints")
			}
			p := endpoint(points, service)
			if p == nil {
				return fail("there is no VPC endpoint for "+title, "the job's connections to it time out", w.makeEndpoint(ctx, service)...)
			}
			id := aws.ToString(p.VpcEndpointId)
			switch {
			case !strings.EqualFold(string(p.State), "available"):
				return fail("the endpoint "+id+" for "+title+" is "+string(p.State), "it is still being made, or was refused", command("aws ec2 describe-vpc-endpoints --vpc-endpoint-ids "+id))
			case !aws.ToBool(p.PrivateDnsEnabled):
				return fail("the endpoint "+id+" for "+title+" has no private DNS", "the usual name of the service leads past it",
					command("aws ec2 modify-vpc-endpoint --vpc-endpoint-id "+id+" --private-dns-enabled"), terraform("private_dns_enabled = true"))
			}
			return ok(id)
		},
	}
}

func networkOptional(w *world) Check {
	return Check{
		Info: Info{ID: "network.endpoint.optional", Group: "network", Title: "the VPC has endpoints for STS and Glue", How: "ec2:DescribeVpcEndpoints", Needs: "emr.network"},
		Run: func(ctx context.Context) Finding {
			points, err := w.points(ctx)
			if err != nil {
				return blind(err, "ec2:DescribeVpcEndpoints")
			}
			var missing []string
			for _, service := range []string{"sts", "glue"} {
				if endpoint(points, service) == nil {
					missing = append(missing, service)
				}
			}
			if len(missing) > 0 {
				return warn("there is no VPC endpoint for "+strings.Join(missing, " and "), "needed when a PostgreSQL job also reads Glue tables", append(w.makeEndpoint(ctx, missing[0]), terraform(`endpoints = ["sts", "glue"]`))...)
			}
			return ok("both are there")
		},
	}
}

// tables are the route tables that hold for the application's subnets.
func (w *world) tables(ctx context.Context) ([]ec2types.RouteTable, error) {
	vpc, err := w.vpc(ctx)
	if err != nil || vpc == "" {
		return nil, err
	}
	out, err := w.AWS.Network.DescribeRouteTables(ctx, &ec2.DescribeRouteTablesInput{Filters: []ec2types.Filter{{Name: aws.String("vpc-id"), Values: []string{vpc}}}})
	if err != nil {
		return nil, err
	}
	app, err := w.app(ctx)
	if err != nil {
		return nil, err
	}
	var list []ec2types.RouteTable
	for _, subnet := range app.NetworkConfiguration.SubnetIds {
		main, own := -1, -1
		for i, t := range out.RouteTables {
			for _, a := range t.Associations {
				if aws.ToString(a.SubnetId) == subnet {
					own = i
				}
				if aws.ToBool(a.Main) {
					main = i
				}
			}
		}
		if own < 0 {
			own = main // a subnet without a table of its own has the main one
		}
		if own >= 0 {
			list = append(list, out.RouteTables[own])
		}
	}
	return list, nil
}

func networkS3(w *world) Check {
	return Check{
		Info: Info{ID: "network.endpoint.s3", Group: "network", Title: "the subnets reach S3", How: "ec2:DescribeVpcEndpoints and DescribeRouteTables: the gateway endpoint is in the route table of each subnet", Cheap: true, Needs: "emr.network"},
		Run: func(ctx context.Context) Finding {
			points, err := w.points(ctx)
			if err != nil {
				return blind(err, "ec2:DescribeVpcEndpoints")
			}
			tables, err := w.tables(ctx)
			if err != nil {
				return blind(err, "ec2:DescribeRouteTables")
			}
			p := endpoint(points, "s3")
			vpc, _ := w.vpc(ctx) // known, or there were no endpoints to look at
			var missing []string
			for _, t := range tables {
				id := aws.ToString(t.RouteTableId)
				if p == nil || p.VpcEndpointType == ec2types.VpcEndpointTypeGateway && !slices.Contains(p.RouteTableIds, id) {
					missing = append(missing, id)
				}
			}
			missing = slices.Compact(slices.Sorted(slices.Values(missing)))
			switch {
			case p == nil:
				return fail("there is no S3 gateway endpoint", "scripts, driver and results are not reached without NAT",
					command(fmt.Sprintf("aws ec2 create-vpc-endpoint --vpc-id %s --vpc-endpoint-type Gateway --service-name com.amazonaws.%s.s3 --route-table-ids %s", vpc, w.AWS.Region, strings.Join(missing, " "))),
					terraform(fmt.Sprintf("resource \"aws_vpc_endpoint\" \"s3\" {\n  vpc_id            = %q\n  service_name      = \"com.amazonaws.%s.s3\"\n  vpc_endpoint_type = \"Gateway\"\n  route_table_ids   = [%s]\n}", vpc, w.AWS.Region, quoted(missing))))
			case len(missing) > 0:
				return fail("the S3 endpoint is not in "+strings.Join(missing, ", "), "the subnets with these route tables do not reach S3",
					command("aws ec2 modify-vpc-endpoint --vpc-endpoint-id "+aws.ToString(p.VpcEndpointId)+" --add-route-table-ids "+strings.Join(missing, " ")))
			}
			return ok(aws.ToString(p.VpcEndpointId))
		},
	}
}

// lets reports whether rules let TCP on a port through, from or to one of the
// groups. Rules for addresses count as letting through: what they cover of the
// VPC cannot be told from here.
func lets(rules []ec2types.IpPermission, port int32, groups []string) bool {
	return slices.ContainsFunc(rules, func(r ec2types.IpPermission) bool {
		protocol := aws.ToString(r.IpProtocol)
		covered := protocol == "-1" || protocol == "tcp" && aws.ToInt32(r.FromPort) <= port && port <= aws.ToInt32(r.ToPort)
		if !covered {
			return false
		}
		if len(r.IpRanges) > 0 || len(r.Ipv6Ranges) > 0 || len(r.PrefixListIds) > 0 {
			return true
		}
		return slices.ContainsFunc(r.UserIdGroupPairs, func(p ec2types.UserIdGroupPair) bool { return slices.Contains(groups, aws.ToString(p.GroupId)) })
	})
}

func networkEndpointGroups(w *world) Check {
	return Check{
		Info: Info{ID: "network.endpoint_groups", Group: "network", Title: "the endpoints let the jobs in", How: "ec2:DescribeSecurityGroups: 443 from the application's groups", Cheap: true, Needs: "emr.network"},
		Run: func(ctx context.Context) Finding {
			points, err := w.points(ctx)
			if err != nil {
				return blind(err, "ec2:DescribeVpcEndpoints")
			}
			app, err := w.app(ctx)
			if err != nil {
				return blind(err, "emr-serverless:GetApplication")
			}
			for _, service := range []string{"logs", "secretsmanager"} {
				p := endpoint(points, service)
				if p == nil {
					continue // another check says so
				}
				var ids []string
				for _, g := range p.Groups {
					ids = append(ids, aws.ToString(g.GroupId))
				}
				out, err := w.AWS.Network.DescribeSecurityGroups(ctx, &ec2.DescribeSecurityGroupsInput{GroupIds: ids})
				if err != nil {
					return blind(err, "ec2:DescribeSecurityGroups")
				}
				if !slices.ContainsFunc(out.SecurityGroups, func(g ec2types.SecurityGroup) bool {
					return lets(g.IpPermissions, 443, app.NetworkConfiguration.SecurityGroupIds)
				}) {
					return fail("the endpoint for "+service+" does not let the jobs in", "none of its security groups has a rule for port 443 from the application's group",
						command(fmt.Sprintf("aws ec2 authorize-security-group-ingress --group-id %s --protocol tcp --port 443 --source-group %s", strings.Join(ids, ""), app.NetworkConfiguration.SecurityGroupIds[0])),
						terraform("resource \"aws_vpc_security_group_ingress_rule\" \"endpoints_from_jobs\" {\n  security_group_id            = "+quoted(ids[:min(1, len(ids))])+"\n  referenced_security_group_id = "+quoted(app.NetworkConfiguration.SecurityGroupIds[:1])+"\n  ip_protocol                  = \"tcp\"\n  from_port                    = 443\n  to_port                      = 443\n}"))
				}
			}
			return ok("443 is open to the jobs")
		},
	}
}

func networkPostgres(w *world) Check {
	return Check{
		Info: Info{ID: "network.postgres", Group: "network", Title: "the jobs are let out to PostgreSQL", How: "ec2:DescribeSecurityGroups: egress on the connections' ports", Needs: "emr.network"},
		Run: func(ctx context.Context) Finding {
			groups, err := w.groups(ctx)
			if err != nil {
				return blind(err, "ec2:DescribeSecurityGroups")
			}
			ports := map[int]bool{5432: true}
			for _, c := range w.connections() {
				if c.Host != "" {
					ports[c.Port] = true
				}
			}
			if len(ports) > 1 && !slices.ContainsFunc(w.connections(), func(c sparkwright.Connection) bool { return c.Port == 5432 }) {
				delete(ports, 5432)
			}
			for port := range ports {
				if !slices.ContainsFunc(groups, func(g ec2types.SecurityGroup) bool {
					return slices.ContainsFunc(g.IpPermissionsEgress, func(r ec2types.IpPermission) bool {
						protocol := aws.ToString(r.IpProtocol)
						return protocol == "-1" || protocol == "tcp" && int(aws.ToInt32(r.FromPort)) <= port && port <= int(aws.ToInt32(r.ToPort))
					})
				}) {
					id := "GROUP"
					if len(groups) > 0 {
						id = aws.ToString(groups[0].GroupId)
					}
					return fail(fmt.Sprintf("the jobs are not let out on port %d", port), "no security group of the application has an egress rule for it",
						command(fmt.Sprintf("aws ec2 authorize-security-group-egress --group-id %s --ip-permissions IpProtocol=tcp,FromPort=%d,ToPort=%d,UserIdGroupPairs=[{GroupId=DATABASE_GROUP}]", id, port, port)),
						terraform(`postgres_security_group_ids = ["DATABASE_GROUP"]`))
				}
			}
			return ok("egress is open; the database's own group is not looked at: see doctor --from-inside")
		},
	}
}

func networkSubnets(w *world) Check {
	return Check{
		Info: Info{ID: "network.subnets", Group: "network", Title: "the subnets are private", How: "ec2:DescribeRouteTables: no route to an internet gateway", Needs: "emr.network"},
		Run: func(ctx context.Context) Finding {
			tables, err := w.tables(ctx)
			if err != nil {
				return blind(err, "ec2:DescribeRouteTables")
			}
			for _, t := range tables {
				for _, r := range t.Routes {
					if strings.HasPrefix(aws.ToString(r.GatewayId), "igw-") {
						return fail("the route table "+aws.ToString(t.RouteTableId)+" leads to the internet", "EMR Serverless gives its workers no public address: they reach nothing through an internet gateway",
							command("aws emr-serverless update-application --application-id "+w.Settings.Spark.EMRPostgresApplicationID+" --network-configuration subnetIds=PRIVATE_SUBNETS,securityGroupIds=GROUP"))
					}
				}
			}
			return ok(fmt.Sprintf("%d route tables without internet gateway", len(tables)))
		},
	}
}

func networkAddresses(w *world) Check {
	return Check{
		Info: Info{ID: "network.addresses", Group: "network", Title: "the subnets have free addresses", How: "ec2:DescribeSubnets availableIpAddressCount", Needs: "emr.network"},
		Run: func(ctx context.Context) Finding {
			subnets, err := w.subnets(ctx)
			if err != nil {
				return blind(err, "ec2:DescribeSubnets")
			}
			var free int32
			for _, s := range subnets {
				free += aws.ToInt32(s.AvailableIpAddressCount)
			}
			if free < workers+10 {
				return fail(fmt.Sprintf("the subnets have %d free addresses", free), fmt.Sprintf("a job of %d workers needs as many, and some to spare", workers),
					command("aws ec2 create-subnet --vpc-id VPC --cidr-block LARGER_RANGE"), terraform("subnet_ids = [/* larger or more subnets */]"))
			}
			return ok(fmt.Sprintf("%d free addresses in %d subnets", free, len(subnets)))
		},
	}
}
