terraform {
  required_version = ">= 1.6"

  required_providers {
    aws = {
      source = "hashicorp/aws"
      # 6.21 brought the AgentCore runtime and the monitoring of EMR Serverless applications.
      version = ">= 6.21"
    }
  }
}
