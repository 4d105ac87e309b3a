import type { Column, Connection, TableDetail, TableHead } from "@/api/types";

/** One line of the tree. */
export type Node =
  | { kind: "connection"; id: string; level: 1; connection: Connection; open: boolean }
  | { kind: "schema"; id: string; level: 2; connection: string; schema: string; tables: number; open: boolean }
  | { kind: "table"; id: string; level: 3; table: TableHead; open: boolean }
  | { kind: "column"; id: string; level: 4; column: Column; key: "primary" | "foreign" | "unique" | null; refers: string }
  | { kind: "note"; id: string; level: number; text: string; tone: "muted" | "bad" };

export interface TreeState {
  connections: Connection[];
  /** Ids of what is opened; of schemas those that are not as they are by default */
  open: ReadonlySet<string>;
  /** Tables by connection; absent = not asked for, or on their way */
  tables: ReadonlyMap<string, TableHead[]>;
  /** Details by qualified name */
  details: ReadonlyMap<string, TableDetail>;
  /** Why a connection's tables cannot be read */
  problems: ReadonlyMap<string, string>;
  /** A search shows what fits it opened */
  searching: boolean;
}

export const connectionId = (name: string): string => `c:${name}`;
export const schemaId = (connection: string, schema: string): string => `s:${connection}.${schema}`;
export const tableId = (qualified: string): string => `t:${qualified}`;

/** The parts of connection.schema.table: any of them may hold dots. */
export const partsOf = (t: TableHead): { connection: string; schema: string; table: string } => ({
  connection: t.qualified.slice(0, t.qualified.length - t.schema.length - t.name.length - 2),
  schema: t.schema,
  table: t.name,
});

/** So many schemas of a connection are open by themselves. */
const fewSchemas = 6;

/** The lines that are to be seen, from the top. */
export function flatten(t: TreeState): Node[] {
  const out: Node[] = [];
  for (const c of t.connections) {
    const id = connectionId(c.name);
    const open = t.open.has(id);
    out.push({ kind: "connection", id, level: 1, connection: c, open });
    if (!open) continue;
    const problem = t.problems.get(c.name);
    if (problem) {
      out.push({ kind: "note", id: id + ":problem", level: 2, text: problem, tone: "bad" });
      continue;
    }
    const tables = t.tables.get(c.name);
    if (!tables) {
      out.push({ kind: "note", id: id + ":loading", level: 2, text: "Reading the tables…", tone: "muted" });
      continue;
    }
    if (tables.length === 0) {
      out.push({ kind: "note", id: id + ":none", level: 2, text: t.searching ? "No table fits" : "There are no tables in it", tone: "muted" });
      continue;
    }
    const schemas = bySchema(tables);
    for (const [schema, list] of schemas) {
      const sid = schemaId(c.name, schema);
      const shown = t.searching || schemas.size <= fewSchemas !== t.open.has(sid);
      out.push({ kind: "schema", id: sid, level: 2, connection: c.name, schema, tables: list.length, open: shown });
      if (shown) for (const table of list) table_(t, table, out);
    }
  }
  return out;
}

function table_(t: TreeState, table: TableHead, out: Node[]): void {
  const id = tableId(table.qualified);
  const open = t.open.has(id);
  out.push({ kind: "table", id, level: 3, table, open });
  if (!open) return;
  const detail = t.details.get(table.qualified);
  if (!detail) {
    out.push({ kind: "note", id: id + ":loading", level: 4, text: "Reading the columns…", tone: "muted" });
    return;
  }
  for (const column of detail.columns ?? []) {
    out.push({ kind: "column", id: `${id}:${column.name}`, level: 4, column, ...keyOf(detail, column.name) });
  }
}

/** What a column is a key of. */
export function keyOf(t: TableDetail, column: string): { key: "primary" | "foreign" | "unique" | null; refers: string } {
  const foreign = (t.foreign_keys ?? []).find((k) => k.columns?.includes(column));
  const refers = foreign ? `${foreign.ref_schema}.${foreign.ref_table}` : "";
  if (t.primary_key?.includes(column)) return { key: "primary", refers };
  if (foreign) return { key: "foreign", refers };
  if ((t.uniques ?? []).some((u) => u?.length === 1 && u[0] === column)) return { key: "unique", refers };
  return { key: null, refers };
}

function bySchema(tables: TableHead[]): Map<string, TableHead[]> {
  const out = new Map<string, TableHead[]>();
  for (const t of tables) {
    const list = out.get(t.schema);
    if (list) list.push(t);
    else out.set(t.schema, [t]);
  }
  return out;
}

/** The line that holds a line: one level up. */
export function parentOf(nodes: Node[], index: number): number {
  const level = nodes[index]?.level ?? 1;
  for (let i = index - 1; i >= 0; i--) {
    if ((nodes[i]?.level ?? 1) < level) return i;
  }
  return index;
}
