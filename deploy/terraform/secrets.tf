# Only the containers: a value that Terraform knows stands in its state. The
# output secret_commands puts the values in.
resource "aws_secretsmanager_secret" "connection" {
  for_each = var.connections

  name        = "${local.secrets_prefix}${each.key}"
  description = "PostgreSQL connection for ${each.key}"
  tags        = local.tags
}

locals {
  secret_commands = {
    for name, c in var.connections : name => join(" | ", [
      "read -rs PASSWORD && printf %s \"$PASSWORD\"",
      "jq -R '{connection_name: \"${name}\", host: \"${c.host}\", port: ${c.port}, database: \"${c.database}\", username: \"${c.username}\", password: ., jdbc_url: \"jdbc:postgresql://${c.host}:${c.port}/${c.database}\"}'",
      "aws secretsmanager put-secret-value --region ${local.region} --secret-id ${aws_secretsmanager_secret.connection[name].arn} --secret-string file:///dev/stdin",
    ])
  }

  readonly_sql = {
    for name, c in var.connections : name => templatefile("${path.module}/readonly.sql.tftpl", {
      role = c.username, database = c.database, schemas = c.schemas
    })
  }
}
