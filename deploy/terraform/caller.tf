# What the Sparkwright server itself needs: the output caller_policy, for the
# identity that it runs as. The AgentCore runtime's role gets it too.
locals {
  caller_policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat([
      {
        Sid      = "Jobs"
        Effect   = "Allow"
        Action   = ["emr-serverless:StartJobRun", "emr-serverless:ListJobRuns", "emr-serverless:GetApplication", "emr-serverless:StartApplication"]
        Resource = [aws_emrserverless_application.standard.arn, aws_emrserverless_application.postgres.arn]
      },
      {
        Sid      = "JobRuns"
        Effect   = "Allow"
        Action   = ["emr-serverless:GetJobRun", "emr-serverless:CancelJobRun", "emr-serverless:GetDashboardForJobRun"]
        Resource = ["${aws_emrserverless_application.standard.arn}/jobruns/*", "${aws_emrserverless_application.postgres.arn}/jobruns/*"]
      },
      {
        Sid       = "PassRole"
        Effect    = "Allow"
        Action    = ["iam:PassRole"]
        Resource  = [aws_iam_role.execution.arn, aws_iam_role.standard.arn]
        Condition = { StringEquals = { "iam:PassedToService" = "emr-serverless.amazonaws.com" } }
      },
      {
        Sid      = "Bucket"
        Effect   = "Allow"
        Action   = ["s3:ListBucket", "s3:GetBucketLocation", "s3:GetEncryptionConfiguration", "s3:GetBucketPublicAccessBlock", "s3:GetBucketPolicy"]
        Resource = [local.bucket_arn]
      },
      {
        Sid      = "Objects"
        Effect   = "Allow"
        Action   = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"]
        Resource = ["${local.bucket_arn}/*"]
      },
      {
        Sid      = "Secrets"
        Effect   = "Allow"
        Action   = ["secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret", "secretsmanager:CreateSecret", "secretsmanager:PutSecretValue"]
        Resource = [local.secrets_pattern]
      },
      {
        Sid      = "Logs"
        Effect   = "Allow"
        Action   = ["logs:GetLogEvents", "logs:FilterLogEvents", "logs:DescribeLogStreams"]
        Resource = [local.log_group_arn, "${local.log_group_arn}:*"]
      },
      {
        Sid      = "Glue"
        Effect   = "Allow"
        Action   = ["glue:GetDatabase", "glue:GetDatabases", "glue:GetTable", "glue:GetTables", "glue:GetPartitions", "glue:SearchTables"]
        Resource = ["*"]
      },
      {
        # Looked at by the doctor; none of these can change anything.
        Sid    = "Doctor"
        Effect = "Allow"
        Action = [
          "sts:GetCallerIdentity", "iam:GetRole", "iam:GetRolePolicy", "iam:ListRolePolicies", "iam:SimulatePrincipalPolicy",
          "ec2:DescribeVpcs", "ec2:DescribeVpcAttribute", "ec2:DescribeSubnets", "ec2:DescribeRouteTables", "ec2:DescribeSecurityGroups", "ec2:DescribeVpcEndpoints",
          "servicequotas:GetServiceQuota",
        ]
        Resource = ["*"]
      },
      ], [for arns in [local.iam_login_arns] : {
        Sid      = "DatabaseLogins" # the catalog is read with them
        Effect   = "Allow"
        Action   = ["rds-db:connect"]
        Resource = arns
    } if length(arns) > 0])
  })
}
