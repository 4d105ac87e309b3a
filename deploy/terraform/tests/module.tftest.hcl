# terraform test, in the directory of the module: plans with a stand-in for AWS.
mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }

  mock_data "aws_region" {
    defaults = { id = "eu-central-1" }
  }

  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
}

variables {
  vpc_id                      = "vpc-1"
  subnet_ids                  = ["subnet-1", "subnet-2"]
  route_table_ids             = ["rtb-1"]
  postgres_security_group_ids = ["sg-db"]
  driver_jar                  = "driver.jar"
  connections                 = { aurora = { host = "db.example.com", database = "shop" } }
}

run "names" {
  command = plan

  assert {
    condition     = aws_s3_bucket.data.bucket == "spark-data-123456789012-eu-central-1"
    error_message = "The bucket has another name."
  }

  assert {
    condition     = aws_s3_object.driver.key == "jars/postgresql-42.7.8.jar"
    error_message = "The driver is elsewhere."
  }

  assert {
    condition     = aws_emrserverless_application.postgres.name == "spark-postgres-interpreter-app"
    error_message = "The application has another name."
  }

  assert {
    condition     = aws_iam_role_policy.execution_secrets.name == "EMRSecretsManagerPolicy"
    error_message = "The inline policy has another name."
  }
}

run "endpoints" {
  command = plan

  assert {
    condition     = alltrue([for e in ["logs", "secretsmanager"] : aws_vpc_endpoint.interface[e].private_dns_enabled])
    error_message = "An endpoint lacks private DNS."
  }

  assert {
    condition     = aws_vpc_endpoint.interface["logs"].service_name == "com.amazonaws.eu-central-1.logs"
    error_message = "The logs endpoint is for another service."
  }

  assert {
    condition     = tolist(aws_vpc_endpoint.s3.route_table_ids) == tolist(["rtb-1"])
    error_message = "S3 is not in the route tables."
  }
}

run "secrets" {
  command = plan

  assert {
    condition     = jsondecode(aws_iam_role_policy.execution_secrets.policy).Statement[0].Resource == "arn:aws:secretsmanager:eu-central-1:123456789012:secret:spark/postgres/*"
    error_message = "The policy is for other secrets."
  }

  assert {
    condition     = !strcontains(aws_iam_role_policy.standard_storage.policy, "secretsmanager") && !strcontains(aws_iam_role_policy.standard_glue.policy, "secretsmanager")
    error_message = "Standard jobs can read secrets."
  }
}

run "optional_parts_are_absent" {
  command = plan

  assert {
    condition     = length(aws_lambda_function.spark) == 0
    error_message = "A function without an image."
  }
}

run "lambda_runs_once" {
  command = plan

  variables {
    lambda_image_uri = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/spark:1"
  }

  assert {
    condition     = aws_lambda_function_event_invoke_config.spark[0].maximum_retry_attempts == 0
    error_message = "Lambda would run a job again."
  }
}

run "unknown_endpoint_is_refused" {
  command = plan

  variables {
    endpoints = ["ec2"]
  }

  expect_failures = [var.endpoints]
}
