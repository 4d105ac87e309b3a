variable "vpc_id" {
  description = "VPC that the PostgreSQL application runs in. DNS support and DNS host names must be on."
  type        = string
}

variable "subnet_ids" {
  description = "Private subnets of the application, in two availability zones or more, with at least 32 free addresses each."
  type        = list(string)

  validation {
    condition     = length(var.subnet_ids) > 0
    error_message = "Give at least one private subnet."
  }
}

variable "route_table_ids" {
  description = "Route tables of these subnets: the S3 gateway endpoint is entered into them."
  type        = list(string)
}

variable "postgres_security_group_ids" {
  description = "Security groups of the PostgreSQL servers. Each gets a rule that lets the jobs in on 5432."
  type        = list(string)
  default     = []
}

variable "postgres_cidr_blocks" {
  description = "Address ranges of PostgreSQL servers that have no security group here (peered networks, on premises)."
  type        = list(string)
  default     = []
}

variable "postgres_port" {
  description = "Port of the PostgreSQL servers."
  type        = number
  default     = 5432
}

variable "connections" {
  description = "PostgreSQL connections by name. Each gets an empty secret spark/postgres/NAME; its value never passes through Terraform."
  type = map(object({
    host     = string
    port     = optional(number, 5432)
    database = string
    username = optional(string, "sparkwright_reader")
    schemas  = optional(list(string), ["public"])
  }))
  default = {}

  validation {
    condition     = alltrue([for name in keys(var.connections) : can(regex("^[A-Za-z0-9_][A-Za-z0-9_-]{0,62}$", name))])
    error_message = "The name of a connection is 1 to 63 letters, digits, _ or -."
  }
}

variable "iam_logins" {
  description = "Logins to RDS by IAM instead of a password, as RESOURCE_ID/USER: cluster-ABCDEF0123456789/sparkwright_reader."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for login in var.iam_logins : can(regex("^(db|cluster|prx)-[A-Za-z0-9]+/[^/*]+$", login))])
    error_message = "A login is a resource id (db-, cluster- or prx-), a slash, and one user."
  }
}

variable "driver_jar" {
  description = "Path of postgresql-42.7.8.jar on this machine: the one below the runtime directory of Sparkwright, or from Maven Central."
  type        = string
}

variable "release_label" {
  description = "EMR release. 7.1 and later can try a job again, 7.3 and later queue."
  type        = string
  default     = "emr-7.9.0"
}

variable "maximum_capacity" {
  description = "Ceiling of each application. Nothing is billed for it."
  type        = object({ cpu = string, memory = string, disk = string })
  default     = { cpu = "64 vCPU", memory = "256 GB", disk = "1000 GB" }
}

variable "initial_capacity" {
  description = "Workers that the PostgreSQL application keeps ready while it is started. They are billed. 0 = none."
  type        = object({ drivers = number, executors = number })
  default     = { drivers = 0, executors = 0 }
}

variable "idle_timeout_minutes" {
  description = "An application without jobs stops after this time."
  type        = number
  default     = 15
}

variable "endpoints" {
  description = "Interface endpoints besides logs and secretsmanager: any of sts, glue, emr-serverless, bedrock-runtime. The AgentCore runtime needs the last two as well."
  type        = set(string)
  default     = ["sts", "glue"]

  validation {
    condition     = length(setsubtract(var.endpoints, ["sts", "glue", "emr-serverless", "bedrock-runtime"])) == 0
    error_message = "Only sts, glue, emr-serverless and bedrock-runtime can be added."
  }
}

variable "glue_databases" {
  description = "Glue databases whose tables may be read. * = all."
  type        = list(string)
  default     = ["*"]
}

variable "data_buckets" {
  description = "Further buckets that jobs may read: those of the Glue tables."
  type        = list(string)
  default     = []
}

variable "lambda_image_uri" {
  description = "Image of the Spark-on-Lambda function in ECR. Empty = no function."
  type        = string
  default     = ""
}

variable "supervisor_image_uri" {
  description = "linux/arm64 image of Sparkwright in ECR, for the AgentCore runtime spark_supervisor_agent. Empty = no runtime."
  type        = string
  default     = ""
}

variable "supervisor_environment" {
  description = "Environment of the AgentCore runtime. No secrets: references only."
  type        = map(string)
  default     = {}
}

variable "tags" {
  description = "Tags of everything."
  type        = map(string)
  default     = {}
}
