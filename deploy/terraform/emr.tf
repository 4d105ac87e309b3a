resource "aws_cloudwatch_log_group" "jobs" {
  name              = local.log_group
  retention_in_days = 14
  tags              = local.tags
}

# Glue tables and files in S3: outside any VPC, without secrets.
resource "aws_emrserverless_application" "standard" {
  name          = "spark-interpreter-app"
  release_label = var.release_label
  type          = "spark"
  architecture  = "X86_64"
  tags          = local.tags

  auto_start_configuration {
    enabled = true
  }

  auto_stop_configuration {
    enabled              = true
    idle_timeout_minutes = var.idle_timeout_minutes
  }

  maximum_capacity {
    cpu    = var.maximum_capacity.cpu
    memory = var.maximum_capacity.memory
    disk   = var.maximum_capacity.disk
  }

  monitoring_configuration {
    cloudwatch_logging_configuration {
      enabled        = true
      log_group_name = aws_cloudwatch_log_group.jobs.name
    }

    s3_monitoring_configuration {
      log_uri = "s3://${aws_s3_bucket.data.id}/logs/emr/"
    }
  }
}

# PostgreSQL: in the VPC, through the endpoints.
resource "aws_emrserverless_application" "postgres" {
  name          = "spark-postgres-interpreter-app"
  release_label = var.release_label
  type          = "spark"
  architecture  = "X86_64"
  tags          = local.tags

  auto_start_configuration {
    enabled = true
  }

  auto_stop_configuration {
    enabled              = true
    idle_timeout_minutes = var.idle_timeout_minutes
  }

  maximum_capacity {
    cpu    = var.maximum_capacity.cpu
    memory = var.maximum_capacity.memory
    disk   = var.maximum_capacity.disk
  }

  network_configuration {
    subnet_ids         = var.subnet_ids
    security_group_ids = [aws_security_group.jobs.id]
  }

  scheduler_configuration {
    max_concurrent_runs   = 15
    queue_timeout_minutes = 60
  }

  monitoring_configuration {
    cloudwatch_logging_configuration {
      enabled        = true
      log_group_name = aws_cloudwatch_log_group.jobs.name
    }

    s3_monitoring_configuration {
      log_uri = "s3://${aws_s3_bucket.data.id}/logs/emr/"
    }
  }

  dynamic "initial_capacity" {
    for_each = var.initial_capacity.drivers > 0 ? { Driver = var.initial_capacity.drivers } : {}

    content {
      initial_capacity_type = initial_capacity.key

      initial_capacity_config {
        worker_count = initial_capacity.value

        worker_configuration {
          cpu    = "2 vCPU"
          memory = "4 GB"
        }
      }
    }
  }

  dynamic "initial_capacity" {
    for_each = var.initial_capacity.executors > 0 ? { Executor = var.initial_capacity.executors } : {}

    content {
      initial_capacity_type = initial_capacity.key

      initial_capacity_config {
        worker_count = initial_capacity.value

        worker_configuration {
          cpu    = "2 vCPU"
          memory = "8 GB"
        }
      }
    }
  }

  # Without them a job hangs until its time-out instead of failing at once.
  depends_on = [aws_vpc_endpoint.interface, aws_vpc_endpoint.s3]
}
