package server

import (
	"net/http"

	"github.com/sparkwright/sparkwright/internal/settings"
)

// getSettings is GET /settings. Connections are not among it: see
// GET /postgres/connections.
func (s *server) getSettings(w http.ResponseWriter, _ *http.Request) {
	set, err := s.cfg.Settings.Load()
	if err != nil {
		s.fail(w, err, nil)
		return
	}
	sp, pg, ray := &set.Spark, &set.Postgres, &set.Ray
	s.write(w, http.StatusOK, map[string]any{
		"ray_cluster": map[string]any{"private_ip": ray.PrivateIP, "public_ip": ray.PublicIP},
		"s3":          map[string]any{"bucket": ray.Bucket},
		"ray":         map[string]any{"gateway_url": ray.GatewayURL, "supervisor_arn": ray.SupervisorARN},
		"global": map[string]any{
			"bedrock_model": set.Global.BedrockModel, "code_gen_agent_arn": set.Global.CodeGenAgent,
			"bedrock_region": set.Global.BedrockRegion,
		},
		"spark": map[string]any{
			"s3_bucket": sp.S3Bucket, "lambda_function": sp.LambdaFunction, "emr_application_id": sp.EMRApplicationID,
			"emr_postgres_application_id": sp.EMRPostgresApplicationID, "max_retries": sp.MaxRetries,
			"file_size_threshold_mb": sp.FileSizeThresholdMB, "result_preview_rows": sp.ResultPreviewRows,
			"presigned_url_expiry_hours": sp.PresignedURLExpiryHours, "lambda_timeout_seconds": sp.LambdaTimeoutSeconds,
			"emr_timeout_minutes": sp.EMRTimeoutMinutes, "supervisor_arn": sp.SupervisorARN,
		},
		"postgres": map[string]any{
			"default_connection": pg.DefaultConnection, "jdbc_driver_path": pg.JDBCDriverPath,
			"secrets_manager_prefix": pg.SecretsManagerPrefix, "connection_timeout": pg.ConnectionTimeout,
			"query_timeout": pg.QueryTimeout, "use_dedicated_emr": pg.UseDedicatedEMR,
		},
	})
}

// postSettings is POST /settings: all fields of the reference are required,
// and ours are optional. Other keys of the file stay.
func (s *server) postSettings(w http.ResponseWriter, r *http.Request) {
	b, ok := s.readBody(w, r)
	if !ok {
		return
	}
	var sets []func(*settings.Settings)
	text := func(name string, field func(*settings.Settings) *string) {
		v := b.text(name)
		sets = append(sets, func(set *settings.Settings) { *field(set) = v })
	}
	number := func(name string, field func(*settings.Settings) *int) {
		v := b.number(name)
		sets = append(sets, func(set *settings.Settings) { *field(set) = v })
	}
	optional := func(name string, field func(*settings.Settings) *string) {
		if _, there := b.fields[name]; there {
			text(name, field)
		}
	}
	text("ray_private_ip", func(set *settings.Settings) *string { return &set.Ray.PrivateIP })
	text("ray_public_ip", func(set *settings.Settings) *string { return &set.Ray.PublicIP })
	text("s3_bucket", func(set *settings.Settings) *string { return &set.Ray.Bucket })
	text("ray_gateway_url", func(set *settings.Settings) *string { return &set.Ray.GatewayURL })
	text("ray_supervisor_arn", func(set *settings.Settings) *string { return &set.Ray.SupervisorARN })
	text("global_bedrock_model", func(set *settings.Settings) *string { return &set.Global.BedrockModel })
	text("global_code_gen_agent_arn", func(set *settings.Settings) *string { return &set.Global.CodeGenAgent })
	text("global_bedrock_region", func(set *settings.Settings) *string { return &set.Global.BedrockRegion })
	text("spark_s3_bucket", func(set *settings.Settings) *string { return &set.Spark.S3Bucket })
	text("spark_lambda_function", func(set *settings.Settings) *string { return &set.Spark.LambdaFunction })
	text("spark_emr_application_id", func(set *settings.Settings) *string { return &set.Spark.EMRApplicationID })
	number("spark_max_retries", func(set *settings.Settings) *int { return &set.Spark.MaxRetries })
	number("spark_file_size_threshold_mb", func(set *settings.Settings) *int { return &set.Spark.FileSizeThresholdMB })
	number("spark_result_preview_rows", func(set *settings.Settings) *int { return &set.Spark.ResultPreviewRows })
	number("spark_presigned_url_expiry_hours", func(set *settings.Settings) *int { return &set.Spark.PresignedURLExpiryHours })
	number("spark_lambda_timeout_seconds", func(set *settings.Settings) *int { return &set.Spark.LambdaTimeoutSeconds })
	number("spark_emr_timeout_minutes", func(set *settings.Settings) *int { return &set.Spark.EMRTimeoutMinutes })
	text("spark_supervisor_arn", func(set *settings.Settings) *string { return &set.Spark.SupervisorARN })
	optional("emr_postgres_application_id", func(set *settings.Settings) *string { return &set.Spark.EMRPostgresApplicationID })
	optional("jdbc_driver_path", func(set *settings.Settings) *string { return &set.Postgres.JDBCDriverPath })
	if len(b.problems) > 0 {
		s.unprocessable(w, b.problems...)
		return
	}
	err := s.cfg.Settings.Update(func(set *settings.Settings) error {
		for _, change := range sets {
			change(set)
		}
		return nil
	})
	if err != nil {
		s.fail(w, err, nil)
		return
	}
	s.ok(w, map[string]any{"message": "Settings updated successfully"})
}

// restoreDefaults is POST /settings/restore-defaults. Connections stay.
func (s *server) restoreDefaults(w http.ResponseWriter, _ *http.Request) {
	err := s.cfg.Settings.Update(func(set *settings.Settings) error {
		set.RestoreDefaults()
		return nil
	})
	if err != nil {
		s.fail(w, err, nil)
		return
	}
	s.ok(w, map[string]any{"message": "Settings restored to defaults"})
}

// models is GET /claude-models: what is configured, the one that writes the
// code first. A Bedrock model that was set after the start is among it.
func (s *server) models(w http.ResponseWriter, r *http.Request) {
	list := []NamedModel{}
	add := func(m NamedModel) {
		for _, have := range list {
			if have.ID == m.ID {
				return
			}
		}
		list = append(list, m)
	}
	if s.cfg.Models != nil {
		for _, m := range s.cfg.Models(r.Context()) {
			add(m)
		}
	}
	if len(list) == 0 {
		add(NamedModel{ID: "planner", Name: "Built-in planner (no model)"})
	}
	if set, err := s.cfg.Settings.Load(); err == nil && set.Global.BedrockModel != "" {
		add(NamedModel{ID: set.Global.BedrockModel, Name: set.Global.BedrockModel})
	}
	s.write(w, http.StatusOK, map[string]any{"models": list})
}
