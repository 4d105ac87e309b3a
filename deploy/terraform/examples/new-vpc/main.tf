# A VPC of its own: two private subnets, no NAT, no way to the internet.
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

variable "postgres_host" {
  type = string
}

variable "postgres_cidr_blocks" {
  description = "Where PostgreSQL is; peer its network with this VPC."
  type        = list(string)
}

variable "driver_jar" {
  type = string
}

data "aws_availability_zones" "available" {
  state = "available"
}

locals {
  range = "10.61.0.0/16"
  zones = slice(data.aws_availability_zones.available.names, 0, 2)
}

resource "aws_vpc" "spark" {
  cidr_block           = local.range
  enable_dns_support   = true
  enable_dns_hostnames = true
  tags                 = { Name = "sparkwright" }
}

resource "aws_subnet" "private" {
  count = 2

  vpc_id            = aws_vpc.spark.id
  availability_zone = local.zones[count.index]
  cidr_block        = cidrsubnet(local.range, 8, count.index)
  tags              = { Name = "sparkwright-private-${count.index}" }
}

resource "aws_route_table" "private" {
  vpc_id = aws_vpc.spark.id
  tags   = { Name = "sparkwright-private" }
}

resource "aws_route_table_association" "private" {
  count = 2

  subnet_id      = aws_subnet.private[count.index].id
  route_table_id = aws_route_table.private.id
}

module "sparkwright" {
  source = "../.."

  vpc_id               = aws_vpc.spark.id
  subnet_ids           = aws_subnet.private[*].id
  route_table_ids      = [aws_route_table.private.id]
  postgres_cidr_blocks = var.postgres_cidr_blocks
  driver_jar           = var.driver_jar

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
