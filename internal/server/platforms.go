package server

import (
	"net/http"
)

// sparkConfig is GET /spark/config: the settings that are in force.
func (s *server) sparkConfig(w http.ResponseWriter, _ *http.Request) {
	set, err := s.cfg.Settings.Load()
	if err != nil {
		s.fail(w, err, nil)
		return
	}
	sp := &set.Spark
	s.write(w, http.StatusOK, map[string]any{
		"s3_bucket": sp.S3Bucket, "lambda_function": sp.LambdaFunction, "emr_application_id": sp.EMRApplicationID,
		"emr_postgres_application_id": sp.EMRPostgresApplicationID, "jdbc_driver_path": set.Postgres.JDBCDriverPath,
		"max_retries": sp.MaxRetries, "file_size_threshold_mb": sp.FileSizeThresholdMB,
		"result_preview_rows": sp.ResultPreviewRows, "presigned_url_expiry_hours": sp.PresignedURLExpiryHours,
		"lambda_timeout_seconds": sp.LambdaTimeoutSeconds, "emr_timeout_minutes": sp.EMRTimeoutMinutes,
		"bedrock_model": set.Global.BedrockModel, "bedrock_region": set.Global.BedrockRegion,
		"spark_master": sp.Master, "attempt_timeout_seconds": sp.AttemptTimeoutSeconds,
	})
}

// sparkStatus is GET /spark/status: the executors as they are now.
func (s *server) sparkStatus(w http.ResponseWriter, r *http.Request) {
	set, err := s.cfg.Settings.Load()
	if err != nil {
		s.fail(w, err, map[string]any{"lambda_status": "unknown", "emr_status": "unknown"})
		return
	}
	p := Platforms{Lambda: "not_ready", EMR: "not ready", EMRPostgres: "not ready", Why: "nothing of AWS is configured"}
	if s.cfg.Platforms != nil {
		p = s.cfg.Platforms(r.Context())
	}
	local := "ready"
	if err := s.cfg.Healthy(r.Context()); err != nil {
		local = "error"
	}
	body := map[string]any{
		"lambda_status": p.Lambda, "emr_status": p.EMR, "lambda_function": set.Spark.LambdaFunction,
		"emr_application_id": set.Spark.EMRApplicationID, "emr_postgres_status": p.EMRPostgres,
		"emr_postgres_application_id": set.Spark.EMRPostgresApplicationID, "local_status": local,
	}
	if p.Why != "" {
		body["message"] = p.Why
	}
	s.write(w, http.StatusOK, body)
}
