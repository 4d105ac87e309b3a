# The jobs may reach PostgreSQL, the endpoints and S3, and nothing else: no NAT, no internet.
resource "aws_security_group" "jobs" {
  name_prefix = "spark-postgres-jobs-"
  description = "Workers of spark-postgres-interpreter-app"
  vpc_id      = var.vpc_id
  tags        = local.tags

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_security_group" "endpoints" {
  name_prefix = "spark-postgres-endpoints-"
  description = "Interface endpoints: HTTPS from the jobs"
  vpc_id      = var.vpc_id
  tags        = local.tags

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_vpc_security_group_ingress_rule" "endpoints_from_jobs" {
  security_group_id            = aws_security_group.endpoints.id
  referenced_security_group_id = aws_security_group.jobs.id
  description                  = "HTTPS from the jobs"
  ip_protocol                  = "tcp"
  from_port                    = 443
  to_port                      = 443
}

resource "aws_vpc_security_group_egress_rule" "jobs_to_endpoints" {
  security_group_id            = aws_security_group.jobs.id
  referenced_security_group_id = aws_security_group.endpoints.id
  description                  = "HTTPS to the interface endpoints"
  ip_protocol                  = "tcp"
  from_port                    = 443
  to_port                      = 443
}

resource "aws_vpc_security_group_egress_rule" "jobs_to_s3" {
  security_group_id = aws_security_group.jobs.id
  prefix_list_id    = aws_vpc_endpoint.s3.prefix_list_id
  description       = "HTTPS to S3 through the gateway endpoint"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

# Driver and Spark executors of one job talk to one another.
resource "aws_vpc_security_group_egress_rule" "jobs_to_jobs" {
  security_group_id            = aws_security_group.jobs.id
  referenced_security_group_id = aws_security_group.jobs.id
  description                  = "Spark driver and executors"
  ip_protocol                  = "tcp"
  from_port                    = 0
  to_port                      = 65535
}

resource "aws_vpc_security_group_ingress_rule" "jobs_from_jobs" {
  security_group_id            = aws_security_group.jobs.id
  referenced_security_group_id = aws_security_group.jobs.id
  description                  = "Spark driver and executors"
  ip_protocol                  = "tcp"
  from_port                    = 0
  to_port                      = 65535
}

resource "aws_vpc_security_group_egress_rule" "jobs_to_postgres" {
  for_each = toset(var.postgres_security_group_ids)

  security_group_id            = aws_security_group.jobs.id
  referenced_security_group_id = each.value
  description                  = "PostgreSQL"
  ip_protocol                  = "tcp"
  from_port                    = var.postgres_port
  to_port                      = var.postgres_port
}

resource "aws_vpc_security_group_ingress_rule" "postgres_from_jobs" {
  for_each = toset(var.postgres_security_group_ids)

  security_group_id            = each.value
  referenced_security_group_id = aws_security_group.jobs.id
  description                  = "PostgreSQL from Spark jobs"
  ip_protocol                  = "tcp"
  from_port                    = var.postgres_port
  to_port                      = var.postgres_port
}

resource "aws_vpc_security_group_egress_rule" "jobs_to_postgres_range" {
  for_each = toset(var.postgres_cidr_blocks)

  security_group_id = aws_security_group.jobs.id
  cidr_ipv4         = each.value
  description       = "PostgreSQL outside this VPC"
  ip_protocol       = "tcp"
  from_port         = var.postgres_port
  to_port           = var.postgres_port
}
