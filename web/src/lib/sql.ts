/** Whether a statement is a look-up of the JDBC driver or of Spark, about types and columns, and not a read of rows. */
export function lookUp(sql: string): boolean {
  return /\bpg_catalog\.|\bpg_type\b|\bpg_namespace\b/i.test(sql) || /\bWHERE\s+1\s*=\s*0\s*;?\s*$/i.test(sql);
}
