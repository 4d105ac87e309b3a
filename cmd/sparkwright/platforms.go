package main

import (
	"context"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/emrserverless"
	emrtypes "github.com/aws/aws-sdk-go-v2/service/emrserverless/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/sparkwright/sparkwright/internal/awscloud"
	"github.com/sparkwright/sparkwright/internal/server"
	"github.com/sparkwright/sparkwright/internal/settings"
)

// platformTime bounds all questions to AWS about the executors' states.
const platformTime = 15 * time.Second

// platforms asks AWS for the state of the executors that are configured.
func platforms(load func() (*settings.Settings, error)) func(context.Context) server.Platforms {
	return func(ctx context.Context) server.Platforms {
		ctx, cancel := context.WithTimeout(ctx, platformTime)
		defer cancel()
		set, err := load()
		if err != nil {
			return server.Platforms{Lambda: "unknown", EMR: "unknown", EMRPostgres: "unknown", Why: "the settings cannot be read"}
		}
		if !usesAWS(set) {
			return server.Platforms{Lambda: "not_ready", EMR: "not ready", EMRPostgres: "not ready", Why: "nothing of AWS is configured"}
		}
		cfg, err := awscloud.Load(ctx, awscloud.Options{Region: set.Spark.Region})
		if err != nil {
			return server.Platforms{Lambda: "error", EMR: "error", EMRPostgres: "error", Why: err.Error()}
		}
		return platformsOf(ctx, cfg, set)
	}
}

func platformsOf(ctx context.Context, cfg aws.Config, set *settings.Settings) server.Platforms {
	emr, functions := emrserverless.NewFromConfig(cfg), lambda.NewFromConfig(cfg)
	var p server.Platforms
	var why []string
	note := func(err error) {
		if err != nil {
			why = append(why, err.Error())
		}
	}
	var err error
	p.EMR, err = applicationStatus(ctx, emr, set.Spark.EMRApplicationID)
	note(err)
	p.EMRPostgres, err = applicationStatus(ctx, emr, set.Spark.EMRPostgresApplicationID)
	note(err)
	p.Lambda, err = functionStatus(ctx, functions, set.Spark.LambdaFunction)
	note(err)
	p.Why = strings.Join(why, "; ")
	return p
}

// applicationStatus is ready, "not ready" or error. An application that is
// stopped is ready when a job starts it.
func applicationStatus(ctx context.Context, client *emrserverless.Client, id string) (string, error) {
	if id == "" {
		return "not ready", nil
	}
	out, err := client.GetApplication(ctx, &emrserverless.GetApplicationInput{ApplicationId: &id})
	if err != nil {
		return "error", awscloud.Error("the EMR Serverless application "+id+" cannot be looked at", err)
	}
	a := out.Application
	switch {
	case a.State == emrtypes.ApplicationStateStarted:
		return "ready", nil
	case a.State != emrtypes.ApplicationStateCreated && a.State != emrtypes.ApplicationStateStopped:
		return "not ready", nil
	case a.AutoStartConfiguration != nil && !aws.ToBool(a.AutoStartConfiguration.Enabled):
		return "not ready", nil
	default:
		return "ready", nil
	}
}

// functionStatus is ready, not_ready or error.
func functionStatus(ctx context.Context, client *lambda.Client, name string) (string, error) {
	if name == "" {
		return "not_ready", nil
	}
	out, err := client.GetFunctionConfiguration(ctx, &lambda.GetFunctionConfigurationInput{FunctionName: &name})
	switch {
	case err != nil:
		return "error", awscloud.Error("the Lambda function "+name+" cannot be looked at", err)
	case out.State == lambdatypes.StateActive:
		return "ready", nil
	default:
		return "not_ready", nil
	}
}
