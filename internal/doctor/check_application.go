package doctor

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	emrtypes "github.com/aws/aws-sdk-go-v2/service/emrserverless/types"
	"github.com/aws/aws-sdk-go-v2/service/servicequotas"
)

func applicationChecks(w *world) []Check {
	if w.Settings.Spark.EMRPostgresApplicationID == "" {
		return nil
	}
	return []Check{emrApplication(w), emrNetwork(w), emrLogging(w), emrRelease(w), emrCapacity(w), emrQueue(w), emrQuota(w)}
}

// looked wraps a check that reads the application.
func looked(w *world, look func(app *emrtypes.Application) Finding) func(context.Context) Finding {
	return func(ctx context.Context) Finding {
		app, err := w.app(ctx)
		if err != nil {
			return blind(err, "emr-serverless:GetApplication")
		}
		return look(app)
	}
}

func emrApplication(w *world) Check {
	id := w.Settings.Spark.EMRPostgresApplicationID
	return Check{
		Info: Info{ID: "emr.application", Group: "emr", Title: "the PostgreSQL application can take jobs", How: "emr-serverless:GetApplication " + id, Cheap: true, Needs: "aws.identity"},
		Run: func(ctx context.Context) Finding {
			app, err := w.app(ctx)
			switch {
			case err != nil && denied(err):
				return blind(err, "emr-serverless:GetApplication")
			case err != nil:
				return fail("the application "+id+" cannot be looked at", because(err), terraform("terraform apply"), command("aws emr-serverless list-applications"))
			}
			starts := app.AutoStartConfiguration == nil || aws.ToBool(app.AutoStartConfiguration.Enabled)
			switch app.State {
			case emrtypes.ApplicationStateCreated, emrtypes.ApplicationStateStarted, emrtypes.ApplicationStateStarting:
			case emrtypes.ApplicationStateStopped, emrtypes.ApplicationStateStopping:
				if !starts {
					return fail("the application is stopped and does not start by itself", "auto-start is off", command("aws emr-serverless start-application --application-id "+id))
				}
			default:
				return fail("the application is "+strings.ToLower(string(app.State)), "it was deleted, or is still being made", terraform("terraform apply"))
			}
			if !strings.EqualFold(aws.ToString(app.Type), "spark") {
				return fail("the application runs "+aws.ToString(app.Type)+", not Spark", "spark.emr_postgres_application_id names another one", terraform("terraform output -raw settings"))
			}
			return ok(aws.ToString(app.Name) + " · " + strings.ToLower(string(app.State)))
		},
	}
}

func emrNetwork(w *world) Check {
	return Check{
		Info: Info{ID: "emr.network", Group: "emr", Title: "the application is in a VPC", How: "reads networkConfiguration of the application", Cheap: true, Needs: "emr.application"},
		Run: looked(w, func(app *emrtypes.Application) Finding {
			if n := app.NetworkConfiguration; n == nil || len(n.SubnetIds) == 0 || len(n.SecurityGroupIds) == 0 {
				return fail("the application has no VPC", "a job outside the VPC cannot reach a private PostgreSQL",
					command("aws emr-serverless update-application --application-id "+aws.ToString(app.ApplicationId)+" --network-configuration subnetIds=SUBNET1,SUBNET2,securityGroupIds=GROUP"),
					terraform("network_configuration {\n  subnet_ids         = var.subnet_ids\n  security_group_ids = [aws_security_group.jobs.id]\n}"))
			}
			return ok(fmt.Sprintf("%d subnets, %d security groups", len(app.NetworkConfiguration.SubnetIds), len(app.NetworkConfiguration.SecurityGroupIds)))
		}),
	}
}

func emrLogging(w *world) Check {
	return Check{
		Info: Info{ID: "emr.logging", Group: "emr", Title: "the application logs to CloudWatch", How: "reads monitoringConfiguration of the application", Needs: "emr.application"},
		Run: looked(w, func(app *emrtypes.Application) Finding {
			m := app.MonitoringConfiguration
			if m == nil || m.CloudWatchLoggingConfiguration == nil || !aws.ToBool(m.CloudWatchLoggingConfiguration.Enabled) {
				return warn("CloudWatch logging is off", "each job still asks for it; other tools that start jobs will have no logs",
					command("aws emr-serverless update-application --application-id "+aws.ToString(app.ApplicationId)+` --monitoring-configuration '{"cloudWatchLoggingConfiguration":{"enabled":true}}'`))
			}
			return ok("on")
		}),
	}
}

var releaseLabel = regexp.MustCompile(`^emr-(\d+)\.(\d+)`)

func emrRelease(w *world) Check {
	return Check{
		Info: Info{ID: "emr.release", Group: "emr", Title: "the release fits the job", How: "compares releaseLabel with the release table", Needs: "emr.application"},
		Run: looked(w, func(app *emrtypes.Application) Finding {
			label := aws.ToString(app.ReleaseLabel)
			m := releaseLabel.FindStringSubmatch(label)
			if m == nil {
				return warn("the release "+label+" is not known", "its versions of Spark, Java and Python cannot be told")
			}
			major, _ := strconv.Atoi(m[1]) // digits, by the pattern
			minor, _ := strconv.Atoi(m[2])
			switch {
			case major < 7:
				return fail("the release "+label+" is too old", "the job needs Spark 3.5 and Python 3.9, which EMR has from 7.0 on", terraform(`release_label = "emr-7.9.0"`))
			case major == 7 && minor < 1:
				return warn("the release "+label+" cannot try a job again", "EMR Serverless does so from 7.1 on", terraform(`release_label = "emr-7.9.0"`))
			}
			return ok(label)
		}),
	}
}

// need is what a job of the settings takes at least: a driver and one executor.
func (w *world) need() (vcpu, memoryGB float64) {
	s := w.Settings.Spark
	driverCores, driverMemory := float64(s.EMRDriverCores), gigabytes(s.EMRDriverMemory)
	if driverCores == 0 {
		driverCores = 4
	}
	if driverMemory == 0 {
		driverMemory = 14
	}
	const overhead = 1.1 // Spark's own share of a worker
	return driverCores + float64(s.ExecutorCores), overhead * (driverMemory + gigabytes(s.ExecutorMemory))
}

var sizeText = regexp.MustCompile(`(?i)^\s*([0-9.]+)\s*([a-z]*)`)

// gigabytes reads sizes as settings and AWS write them: 4g, 512m, 48 GB, 1 TB.
func gigabytes(s string) float64 {
	m := sizeText.FindStringSubmatch(s)
	if m == nil {
		return 0
	}
	n, _ := strconv.ParseFloat(m[1], 64) // digits, by the pattern
	switch {
	case strings.HasPrefix(strings.ToLower(m[2]), "m"):
		return n / 1024
	case strings.HasPrefix(strings.ToLower(m[2]), "t"):
		return n * 1024
	}
	return n
}

func emrCapacity(w *world) Check {
	return Check{
		Info: Info{ID: "emr.capacity", Group: "emr", Title: "a job fits into the maximum capacity", How: "compares maximumCapacity with driver and one executor of the settings", Needs: "emr.application"},
		Run: looked(w, func(app *emrtypes.Application) Finding {
			most := app.MaximumCapacity
			if most == nil {
				return warn("the application has no maximum capacity", "one job can use the whole quota of the account", terraform(`maximum_capacity = { cpu = "64 vCPU", memory = "256 GB", disk = "1000 GB" }`))
			}
			cpu, memory := gigabytes(aws.ToString(most.Cpu)), gigabytes(aws.ToString(most.Memory))
			needCPU, needMemory := w.need()
			if cpu < needCPU || memory < needMemory {
				return fail("a job does not fit into the application", fmt.Sprintf("it needs %.0f vCPU and %.0f GB at least; the maximum is %.0f vCPU and %.0f GB", needCPU, needMemory, cpu, memory),
					command(fmt.Sprintf("aws emr-serverless update-application --application-id %s --maximum-capacity cpu='%.0f vCPU',memory='%.0f GB'", aws.ToString(app.ApplicationId), 4*needCPU, 4*needMemory)),
					setting(`{"spark": {"executor_memory": "4g", "executor_cores": 2}}`))
			}
			return ok(fmt.Sprintf("%.0f vCPU, %.0f GB", cpu, memory))
		}),
	}
}

func emrQueue(w *world) Check {
	return Check{
		Info: Info{ID: "emr.queue", Group: "emr", Title: "jobs do not wait long", How: "reads schedulerConfiguration of the application", Needs: "emr.application"},
		Run: looked(w, func(app *emrtypes.Application) Finding {
			s := app.SchedulerConfiguration
			if s == nil || s.MaxConcurrentRuns == nil {
				return ok("15 jobs at once, the default")
			}
			if n := aws.ToInt32(s.MaxConcurrentRuns); n < 2 {
				return warn("the application runs one job at a time", "further questions wait in the queue", terraform("scheduler_configuration {\n  max_concurrent_runs = 15\n}"))
			}
			return ok(fmt.Sprintf("%d jobs at once", aws.ToInt32(s.MaxConcurrentRuns)))
		}),
	}
}

// The quota "Max concurrent vCPUs per account" of EMR Serverless.
const (
	quotaService = "emr-serverless"
	quotaCode    = "L-D05C8A75"
)

func emrQuota(w *world) Check {
	return Check{
		Info: Info{ID: "emr.quota", Group: "emr", Title: "the account's vCPU quota is enough", How: "servicequotas:GetServiceQuota " + quotaCode, Needs: "aws.identity"},
		Run: func(ctx context.Context) Finding {
			out, err := w.AWS.Quotas.GetServiceQuota(ctx, &servicequotas.GetServiceQuotaInput{ServiceCode: aws.String(quotaService), QuotaCode: aws.String(quotaCode)})
			if err != nil {
				if denied(err) {
					return blind(err, "servicequotas:GetServiceQuota")
				}
				return skip("Service Quotas does not tell: " + because(err))
			}
			have := aws.ToFloat64(out.Quota.Value)
			if cpu, _ := w.need(); have < cpu {
				return fail(fmt.Sprintf("the account may use %.0f vCPU at once", have), fmt.Sprintf("one job needs %.0f", cpu),
					command(fmt.Sprintf("aws service-quotas request-service-quota-increase --service-code %s --quota-code %s --desired-value 64", quotaService, quotaCode)))
			}
			return ok(fmt.Sprintf("%.0f vCPU", have))
		},
	}
}
