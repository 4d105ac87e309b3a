# Small questions without PostgreSQL, without waiting for an EMR worker.
locals {
  lambda_count = var.lambda_image_uri == "" ? 0 : 1
}

resource "aws_iam_role" "lambda" {
  count = local.lambda_count

  name = "SparkOnLambdaRole"
  tags = local.tags

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "lambda.amazonaws.com" }
    }]
  })
}

resource "aws_iam_role_policy" "lambda_storage" {
  count = local.lambda_count

  name   = "SparkOnLambdaS3Policy"
  role   = aws_iam_role.lambda[0].id
  policy = local.storage_policy
}

resource "aws_iam_role_policy" "lambda_logs" {
  count = local.lambda_count

  name = "SparkOnLambdaLogsPolicy"
  role = aws_iam_role.lambda[0].id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect   = "Allow"
      Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
      Resource = ["arn:${local.partition}:logs:${local.region}:${local.account}:log-group:/aws/lambda/${local.lambda_name}:*"]
    }]
  })
}

resource "aws_cloudwatch_log_group" "lambda" {
  count = local.lambda_count

  name              = "/aws/lambda/${local.lambda_name}"
  retention_in_days = 14
  tags              = local.tags
}

resource "aws_lambda_function" "spark" {
  count = local.lambda_count

  function_name = local.lambda_name
  role          = aws_iam_role.lambda[0].arn
  package_type  = "Image"
  image_uri     = var.lambda_image_uri
  architectures = ["x86_64"]
  timeout       = 900
  memory_size   = 3008
  tags          = local.tags

  ephemeral_storage {
    size = 4096
  }

  depends_on = [aws_cloudwatch_log_group.lambda]
}

# Lambda would try an asynchronous call again by itself: a job must run once.
resource "aws_lambda_function_event_invoke_config" "spark" {
  count = local.lambda_count

  function_name          = aws_lambda_function.spark[0].function_name
  maximum_retry_attempts = 0
}
