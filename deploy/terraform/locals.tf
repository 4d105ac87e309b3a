data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

data "aws_region" "current" {}

locals {
  account   = data.aws_caller_identity.current.account_id
  partition = data.aws_partition.current.partition
  region    = data.aws_region.current.id

  bucket          = "spark-data-${local.account}-${local.region}"
  bucket_arn      = "arn:${local.partition}:s3:::${local.bucket}"
  driver_name     = "postgresql-42.7.8.jar"
  driver_key      = "jars/${local.driver_name}"
  driver_path     = "s3://${local.bucket}/${local.driver_key}"
  log_group       = "/aws/emr-serverless"
  log_group_arn   = "arn:${local.partition}:logs:${local.region}:${local.account}:log-group:${local.log_group}"
  lambda_name     = "sparkOnLambda-spark-code-interpreter"
  secrets_prefix  = "spark/postgres/"
  secrets_pattern = "arn:${local.partition}:secretsmanager:${local.region}:${local.account}:secret:${local.secrets_prefix}*"

  iam_login_arns = [for login in var.iam_logins : "arn:${local.partition}:rds-db:${local.region}:${local.account}:dbuser:${login}"]

  tags = merge({ application = "sparkwright" }, var.tags)
}
