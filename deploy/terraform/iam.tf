# Roles that jobs run with.
locals {
  trust_emr = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "emr-serverless.amazonaws.com" }
      Condition = { StringEquals = { "aws:SourceAccount" = local.account } }
    }]
  })

  # Reads scripts, driver and data; writes results and logs.
  storage_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "List"
        Effect   = "Allow"
        Action   = ["s3:ListBucket", "s3:GetBucketLocation"]
        Resource = [for b in concat([local.bucket], var.data_buckets) : "arn:${local.partition}:s3:::${b}"]
      },
      {
        Sid      = "Read"
        Effect   = "Allow"
        Action   = ["s3:GetObject"]
        Resource = [for b in concat([local.bucket], var.data_buckets) : "arn:${local.partition}:s3:::${b}/*"]
      },
      {
        Sid      = "Write"
        Effect   = "Allow"
        Action   = ["s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"]
        Resource = ["${local.bucket_arn}/output/*", "${local.bucket_arn}/logs/*"]
      },
      {
        Sid      = "Logs"
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"]
        Resource = [local.log_group_arn, "${local.log_group_arn}:*"]
      },
      {
        Sid      = "LogGroups"
        Effect   = "Allow"
        Action   = ["logs:DescribeLogGroups"]
        Resource = ["*"]
      },
    ]
  })

  glue_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect = "Allow"
      Action = ["glue:GetDatabase", "glue:GetDatabases", "glue:GetTable", "glue:GetTables", "glue:GetPartition", "glue:GetPartitions", "glue:BatchGetPartition"]
      Resource = concat(
        ["arn:${local.partition}:glue:${local.region}:${local.account}:catalog"],
        [for d in var.glue_databases : "arn:${local.partition}:glue:${local.region}:${local.account}:database/${d}"],
        [for d in var.glue_databases : "arn:${local.partition}:glue:${local.region}:${local.account}:table/${d}/*"],
      )
    }]
  })
}

resource "aws_iam_role" "execution" {
  name               = "EMRServerlessExecutionRole"
  description        = "PostgreSQL jobs"
  assume_role_policy = local.trust_emr
  tags               = local.tags
}

resource "aws_iam_role_policy" "execution_storage" {
  name   = "EMRServerlessS3Policy"
  role   = aws_iam_role.execution.id
  policy = local.storage_policy
}

resource "aws_iam_role_policy" "execution_glue" {
  name   = "EMRGluePolicy"
  role   = aws_iam_role.execution.id
  policy = local.glue_policy
}

# Inline, and of this name: GetRolePolicy and the checks look for it.
resource "aws_iam_role_policy" "execution_secrets" {
  name = "EMRSecretsManagerPolicy"
  role = aws_iam_role.execution.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect   = "Allow"
      Action   = ["secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret"]
      Resource = local.secrets_pattern
    }]
  })
}

# Jobs make the token for these logins themselves.
resource "aws_iam_role_policy" "execution_database" {
  count = length(var.iam_logins) > 0 ? 1 : 0
  name  = "EMRServerlessDatabasePolicy"
  role  = aws_iam_role.execution.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect   = "Allow"
      Action   = ["rds-db:connect"]
      Resource = local.iam_login_arns
    }]
  })
}

# Standard jobs have a role of their own: what they run can read no database secret.
resource "aws_iam_role" "standard" {
  name               = "EMRServerlessStandardRole"
  description        = "Jobs on Glue tables and files"
  assume_role_policy = local.trust_emr
  tags               = local.tags
}

resource "aws_iam_role_policy" "standard_storage" {
  name   = "EMRServerlessS3Policy"
  role   = aws_iam_role.standard.id
  policy = local.storage_policy
}

resource "aws_iam_role_policy" "standard_glue" {
  name   = "EMRGluePolicy"
  role   = aws_iam_role.standard.id
  policy = local.glue_policy
}
