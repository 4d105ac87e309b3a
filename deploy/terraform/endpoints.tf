locals {
  # What may pass each endpoint. Whatever runs in the subnets, only this account's things are reached.
  endpoint_actions = {
    logs            = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogGroups", "logs:DescribeLogStreams"]
    secretsmanager  = ["secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret"]
    sts             = ["sts:*"]
    glue            = ["glue:Get*", "glue:BatchGetPartition"]
    emr-serverless  = ["emr-serverless:*"]
    bedrock-runtime = ["bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream"]
  }
  interface_endpoints = setunion(["logs", "secretsmanager"], var.endpoints)
}

resource "aws_vpc_endpoint" "interface" {
  for_each = local.interface_endpoints

  vpc_id              = var.vpc_id
  service_name        = "com.amazonaws.${local.region}.${each.key}"
  vpc_endpoint_type   = "Interface"
  private_dns_enabled = true
  subnet_ids          = var.subnet_ids
  security_group_ids  = [aws_security_group.endpoints.id]
  tags                = merge(local.tags, { Name = "spark-postgres-${each.key}" })

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = "*"
      Action    = local.endpoint_actions[each.key]
      Resource  = "*"
      Condition = { StringEquals = { "aws:PrincipalAccount" = local.account } }
    }]
  })
}

resource "aws_vpc_endpoint" "s3" {
  vpc_id            = var.vpc_id
  service_name      = "com.amazonaws.${local.region}.s3"
  vpc_endpoint_type = "Gateway"
  route_table_ids   = var.route_table_ids
  tags              = merge(local.tags, { Name = "spark-postgres-s3" })

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "OwnBuckets"
        Effect    = "Allow"
        Principal = "*"
        Action    = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts", "s3:ListBucket", "s3:GetBucketLocation"]
        Resource  = flatten([for b in concat([local.bucket], var.data_buckets) : ["arn:${local.partition}:s3:::${b}", "arn:${local.partition}:s3:::${b}/*"]])
      },
      {
        # EMR Serverless fetches its own release files from buckets of AWS.
        Sid       = "ReleaseFiles"
        Effect    = "Allow"
        Principal = "*"
        Action    = ["s3:GetObject"]
        Resource  = ["arn:${local.partition}:s3:::*.elasticmapreduce/*", "arn:${local.partition}:s3:::prod-${local.region}-starport-layer-bucket/*"]
      },
    ]
  })
}
