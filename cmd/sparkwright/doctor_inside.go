package main

import (
	"context"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/artifact"
	"github.com/sparkwright/sparkwright/internal/awscloud"
	"github.com/sparkwright/sparkwright/internal/doctor"
	"github.com/sparkwright/sparkwright/internal/executor/emrserverless"
	"github.com/sparkwright/sparkwright/internal/secret"
	"github.com/sparkwright/sparkwright/internal/settings"
	"github.com/sparkwright/sparkwright/internal/store"
)

// doctorInside submits the probe to the PostgreSQL application and returns what
// it found there.
func (a *app) doctorInside(ctx context.Context, s *settings.Settings) (*doctor.Report, error) {
	sp := s.Spark
	if sp.EMRPostgresApplicationID == "" || sp.S3Bucket == "" {
		return nil, &sparkwright.Error{
			Code: sparkwright.CodeInvalid, Message: "there is no application to look from",
			Because: "spark.emr_postgres_application_id or spark.s3_bucket is not set", Remedy: "sparkwright doctor says how to set them",
		}
	}
	cfg, err := awscloud.Load(ctx, awscloud.Options{Region: sp.Region, Log: a.log})
	if err != nil {
		return nil, err
	}
	instance, err := s.InstanceName()
	if err != nil {
		return nil, err
	}
	var connections []sparkwright.Connection
	for _, c := range s.Connections() {
		if c.Host == "" { // only the secret knows
			if c, _, err = secret.Complete(ctx, c); err != nil {
				return nil, err
			}
		}
		connections = append(connections, c)
	}
	return doctor.Inside{
		Executor: emrserverless.New(emrserverless.Config{
			AWS: cfg, Instance: instance, Bucket: sp.S3Bucket, RoleARN: sp.ExecutionRoleARN, ExecutorMemory: sp.ExecutorMemory, ExecutorCores: sp.ExecutorCores,
			DriverMemory: sp.EMRDriverMemory, DriverCores: sp.EMRDriverCores, TimeoutMinutes: sp.EMRTimeoutMinutes, LogGroup: sp.LogGroup, Log: a.log,
		}),
		Load: artifact.NewS3(awscloud.NewS3(cfg)).Load, Application: sp.EMRPostgresApplicationID, Driver: s.Postgres.JDBCDriverPath,
		Bucket: sp.S3Bucket, Region: cfg.Region, Connections: connections, ID: store.NewRunID(), Tell: func(text string) { a.say("inside", text) },
	}.Run(ctx)
}
