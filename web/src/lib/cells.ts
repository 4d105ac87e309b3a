import type { Cell } from "@/api/result";

import { groups } from "./format";

/** What a column holds, as far as showing it matters. */
export type Kind = "number" | "boolean" | "time" | "text" | "nested";

/** The kind of a Spark type: decimal(18,2), bigint, timestamp_ntz, array<int> … */
export function kindOf(type: string): Kind {
  const t = type.toLowerCase();
  if (/^(tinyint|smallint|int|integer|bigint|long|short|byte|float|double|decimal)\b/.test(t)) return "number";
  if (t === "boolean") return "boolean";
  if (/^(date|timestamp)/.test(t)) return "time";
  if (/^(array|map|struct|variant|binary)/.test(t)) return "nested";
  return "text";
}

/** Whole numbers that are names rather than amounts get no groups: 2025 as a year, ids. */
const named = /(^|_)(id|year|code|zip|phone|plz)$/i;

/** A cell for people: digits are grouped, none is changed or dropped. */
export function showCell(cell: Cell, type: string, column: string): string {
  if (cell === null) return "∅";
  if (typeof cell === "boolean") return cell ? "true" : "false";
  if (typeof cell === "object") return cell.json;
  if (cell === "") return "''";
  if (kindOf(type) === "number") return named.test(column) && /^-?\d+$/.test(cell) ? cell : groups(cell);
  if (kindOf(type) === "time") return cell.replace("T", " ").replace(/\.0+$/, "");
  return cell;
}

/** A cell as it is pasted into a sheet: every digit, no groups; NULL is nothing. */
export function plainCell(cell: Cell): string {
  if (cell === null) return "";
  if (typeof cell === "boolean") return String(cell);
  return typeof cell === "object" ? cell.json : cell;
}

/** Rows as tab-separated text, with a header. Cells that hold tabs, line ends or quotes are quoted, and text that a sheet would take for a formula gets an apostrophe. */
export function tsv(columns: readonly { name: string; type: string }[], rows: readonly Cell[][]): string {
  const quote = (s: string) => (/[\t\r\n"]/.test(s) ? `"${s.replaceAll('"', '""')}"` : s);
  const guarded = (s: string, number: boolean) => (!number && /^[=+\-@\t\r]/.test(s) ? "'" + s : s);
  const head = columns.map((c) => quote(guarded(c.name, false))).join("\t");
  const body = rows.map((row) => columns.map((c, i) => quote(guarded(plainCell(row[i] ?? null), kindOf(c.type) === "number"))).join("\t"));
  return [head, ...body].join("\n");
}

/** The cell as a number for drawing, where a rounded one is good enough; null when it is none. */
export function numberOf(cell: Cell | undefined): number | null {
  if (typeof cell !== "string" || cell.trim() === "") return null;
  const n = Number(cell);
  return Number.isFinite(n) ? n : null;
}
