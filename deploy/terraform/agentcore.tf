# The server as an AgentCore runtime, for clients that call InvokeAgentRuntime.
locals {
  agentcore_count = var.supervisor_image_uri == "" ? 0 : 1
  supervisor_arn  = one(aws_bedrockagentcore_agent_runtime.supervisor[*].agent_runtime_arn)
}

resource "aws_iam_role" "supervisor" {
  count = local.agentcore_count

  name = "SparkSupervisorAgentRole"
  tags = local.tags

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "bedrock-agentcore.amazonaws.com" }
      Condition = {
        StringEquals = { "aws:SourceAccount" = local.account }
        ArnLike      = { "aws:SourceArn" = "arn:${local.partition}:bedrock-agentcore:${local.region}:${local.account}:*" }
      }
    }]
  })
}

resource "aws_iam_role_policy" "supervisor_caller" {
  count = local.agentcore_count

  name   = "SparkwrightCallerPolicy"
  role   = aws_iam_role.supervisor[0].id
  policy = local.caller_policy
}

resource "aws_iam_role_policy" "supervisor_runtime" {
  count = local.agentcore_count

  name = "AgentCoreRuntimePolicy"
  role = aws_iam_role.supervisor[0].id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "Image"
        Effect   = "Allow"
        Action   = ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
        Resource = ["arn:${local.partition}:ecr:${local.region}:${local.account}:repository/*"]
      },
      {
        Sid      = "ImageToken"
        Effect   = "Allow"
        Action   = ["ecr:GetAuthorizationToken"]
        Resource = ["*"]
      },
      {
        Sid      = "Logs"
        Effect   = "Allow"
        Action   = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"]
        Resource = ["arn:${local.partition}:logs:${local.region}:${local.account}:log-group:/aws/bedrock-agentcore/runtimes/*"]
      },
      {
        Sid      = "Model"
        Effect   = "Allow"
        Action   = ["bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream"]
        Resource = ["arn:${local.partition}:bedrock:*::foundation-model/*", "arn:${local.partition}:bedrock:${local.region}:${local.account}:inference-profile/*"]
      },
    ]
  })
}

# In the VPC: only there it reaches a private PostgreSQL.
resource "aws_bedrockagentcore_agent_runtime" "supervisor" {
  count = local.agentcore_count

  agent_runtime_name    = "spark_supervisor_agent"
  role_arn              = aws_iam_role.supervisor[0].arn
  environment_variables = var.supervisor_environment
  tags                  = local.tags

  agent_runtime_artifact {
    container_configuration {
      container_uri = var.supervisor_image_uri
    }
  }

  network_configuration {
    network_mode = "VPC"

    network_mode_config {
      subnets         = var.subnet_ids
      security_groups = [aws_security_group.jobs.id]
    }
  }

  protocol_configuration {
    server_protocol = "HTTP"
  }

  depends_on = [aws_iam_role_policy.supervisor_caller, aws_iam_role_policy.supervisor_runtime]
}
