/** Whether a statement is a look-up of the JDBC driver, of Spark or of us, about types, columns and plans, and not a read of rows. */
export function lookUp(sql: string): boolean {
  return /^EXPLAIN\b/i.test(sql) || /\bpg_catalog\.|\bpg_type\b|\bpg_namespace\b/i.test(sql) || /\bWHERE\s+1\s*=\s*0\s*;?\s*$/i.test(sql);
}
