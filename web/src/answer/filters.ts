import type { Kind } from "@/lib/cells";

/** The comparisons of the server. */
export type Op = "eq" | "ne" | "lt" | "le" | "gt" | "ge" | "contains" | "null" | "notnull";

export interface ColumnFilter {
  column: string;
  op: Op;
  value: string;
}

const words: Record<Op, string> = {
  eq: "is", ne: "is not", lt: "is less than", le: "is at most", gt: "is more than", ge: "is at least", contains: "contains", null: "is NULL", notnull: "is not NULL",
};

/** The comparisons that make sense for a kind of column. */
export function opsOf(kind: Kind): { value: Op; label: string }[] {
  const ops: Op[] =
    kind === "number" || kind === "time" ? ["eq", "ne", "lt", "le", "gt", "ge", "null", "notnull"]
    : kind === "boolean" ? ["eq", "null", "notnull"]
    : kind === "nested" ? ["contains", "null", "notnull"]
    : ["contains", "eq", "ne", "null", "notnull"];
  return ops.map((value) => ({ value, label: words[value] }));
}

export const takesValue = (op: Op): boolean => op !== "null" && op !== "notnull";

/** A filter as the server takes it. */
export function filterText(f: ColumnFilter): string {
  return takesValue(f.op) ? `${f.column}:${f.op}:${f.value}` : `${f.column}:${f.op}`;
}

/** A filter in words. */
export function sayFilter(f: ColumnFilter): string {
  return `${f.column} ${words[f.op]}${takesValue(f.op) ? ` ${f.value === "" ? "''" : f.value}` : ""}`;
}
