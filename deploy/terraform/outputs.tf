locals {
  settings = {
    spark = merge(
      {
        s3_bucket                   = aws_s3_bucket.data.id
        emr_application_id          = aws_emrserverless_application.standard.id
        emr_postgres_application_id = aws_emrserverless_application.postgres.id
        execution_role_arn          = aws_iam_role.execution.arn
        standard_execution_role_arn = aws_iam_role.standard.arn
        region                      = local.region
        log_group                   = aws_cloudwatch_log_group.jobs.name
      },
      local.supervisor_arn == null ? {} : { supervisor_arn = local.supervisor_arn },
      local.lambda_count == 0 ? {} : { lambda_function = local.lambda_name },
    )
    postgres = {
      jdbc_driver_path       = local.driver_path
      secrets_manager_prefix = local.secrets_prefix
      connections = [
        for name, c in var.connections : {
          name        = name
          description = "${c.host}:${c.port}/${c.database}"
          enabled     = true
          auth_method = "secrets_manager"
          host        = c.host
          port        = c.port
          database    = c.database
          secret_arn  = aws_secretsmanager_secret.connection[name].arn
        }
      ]
    }
  }
}

output "settings" {
  description = "The fragment of settings.json, as it is: terraform output -raw settings > settings.json"
  value       = jsonencode(local.settings)
}

output "secret_commands" {
  description = "One command per connection that asks for the password and stores the secret."
  value       = local.secret_commands
}

output "readonly_sql" {
  description = "One script per connection that creates its read-only role."
  value       = local.readonly_sql
}

output "caller_policy" {
  description = "IAM policy for the identity that the Sparkwright server runs as."
  value       = local.caller_policy
}

output "jobs_security_group_id" {
  description = "Security group of the jobs, for rules of your own."
  value       = aws_security_group.jobs.id
}
