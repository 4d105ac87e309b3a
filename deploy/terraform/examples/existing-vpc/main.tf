# Into a VPC that is there, next to an RDS or Aurora PostgreSQL.
terraform {
  required_version = ">= 1.6"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 6.21"
    }
  }
}

provider "aws" {
  region = var.region
}

variable "region" {
  type    = string
  default = "us-east-1"
}

variable "vpc_id" {
  type = string
}

variable "subnet_ids" {
  type = list(string)
}

variable "route_table_ids" {
  type = list(string)
}

variable "postgres_security_group_ids" {
  type = list(string)
}

variable "postgres_host" {
  type = string
}

variable "driver_jar" {
  type = string
}

module "sparkwright" {
  source = "../.."

  vpc_id                      = var.vpc_id
  subnet_ids                  = var.subnet_ids
  route_table_ids             = var.route_table_ids
  postgres_security_group_ids = var.postgres_security_group_ids
  driver_jar                  = var.driver_jar

  connections = {
    aurora-prod = { host = var.postgres_host, database = "postgres" }
  }
}

output "settings" {
  value = module.sparkwright.settings
}

output "readonly_sql" {
  value = module.sparkwright.readonly_sql
}

output "secret_commands" {
  value = module.sparkwright.secret_commands
}

output "caller_policy" {
  value = module.sparkwright.caller_policy
}
