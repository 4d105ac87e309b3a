import type { Cell } from "@/api/result";
import type { ResultColumn } from "@/api/types";

import { kindOf, numberOf, showCell } from "./cells";

export type ChartKind = "number" | "line" | "bar" | "scatter";

/** What a chart shows: columns by their place in the result. */
export interface Chart {
  kind: ChartKind;
  x: number;
  y: number;
  /** Splits lines and points by colour */
  series: number | null;
}

/** What a column can stand for in a chart. */
export type Role = "time" | "number" | "category" | "other";

const timeName = /(^|_)(year|month|quarter|week|day|date)$/i;
const idName = /(^|_)(id|key|code|zip|phone)$/i;

/** The role of a column: by its type, and by name and values where text or whole numbers are times. */
export function roleOf(column: ResultColumn, cells: readonly Cell[]): Role {
  const kind = kindOf(column.type);
  if (kind === "time") return "time";
  const filled = cells.filter((c) => c !== null);
  if (kind === "number") {
    if (/(^|_)year$/i.test(column.name) && filled.length > 0 && filled.every((c) => typeof c === "string" && /^(1[5-9]|2[01])\d\d$/.test(c))) return "time";
    return idName.test(column.name) ? "category" : "number";
  }
  if (kind === "boolean") return "category";
  if (kind === "nested") return "other";
  if (timeName.test(column.name) && filled.length > 0 && filled.every((c) => typeof c === "string" && timeOf(c) !== null)) return "time";
  return "category";
}

/** Milliseconds since 1970 of a date, a timestamp, a month or a year; null when it is none. All are UTC. */
export function timeOf(cell: Cell | undefined): number | null {
  if (typeof cell !== "string") return null;
  const m = /^(\d{4})(?:-(\d\d))?(?:-(\d\d))?(?:[T ](\d\d):(\d\d)(?::(\d\d)(\.\d+)?)?)?(?:Z|\+00:?00)?$/.exec(cell.trim());
  if (!m) return null;
  const [, y, mo = "1", d = "1", h = "0", mi = "0", s = "0", f = "0"] = m;
  return Date.UTC(Number(y), Number(mo) - 1, Number(d), Number(h), Number(mi), Number(s), Math.round(Number("0" + f) * 1000));
}

/** The chart that fits the shape of a result; null when none does. */
export function suggest(columns: readonly ResultColumn[], rows: readonly Cell[][], total: number): Chart | null {
  if (total === 0 || rows.length === 0) return null;
  const roles = columns.map((c, i) => roleOf(c, column(rows, i)));
  const of = (role: Role): number[] => roles.flatMap((r, i) => (r === role ? [i] : []));
  const [times, numbers, categories] = [of("time"), of("number"), of("category")];
  const [x, y] = numbers;
  if (total === 1) return columns.length === 1 && x !== undefined ? { kind: "number", x: 0, y: 0, series: null } : null;
  const [time] = times;
  const [category] = categories;
  // One row for each category, which comes first: the time beside it is only one more fact of it.
  const facts = time !== undefined && category !== undefined && category < time && distinct(rows, category) === rows.length;
  if (time !== undefined && x !== undefined && !facts) {
    const series = categories.find((i) => {
      const n = distinct(rows, i);
      return n > 1 && n <= 8;
    });
    return { kind: "line", x: time, y: x, series: series ?? null };
  }
  if (category !== undefined && x !== undefined) {
    // An id beside a name says less than the name.
    const named = categories.find((i) => kindOf(columns[i]?.type ?? "") === "text") ?? category;
    return { kind: "bar", x: named, y: x, series: null };
  }
  if (x !== undefined && y !== undefined) return { kind: "scatter", x, y, series: null };
  return null;
}

/** The kinds that a result can be drawn as. */
export function kindsFor(columns: readonly ResultColumn[], rows: readonly Cell[][]): ChartKind[] {
  const numbers = columns.filter((c, i) => roleOf(c, column(rows, i)) === "number").length;
  if (numbers === 0) return [];
  const out: ChartKind[] = [];
  if (columns.length > 1) out.push("bar", "line");
  if (numbers > 1) out.push("scatter");
  if (rows.length === 1) out.push("number");
  return out;
}

const column = (rows: readonly Cell[][], i: number): Cell[] => rows.map((r) => r[i] ?? null);

function distinct(rows: readonly Cell[][], i: number): number {
  return new Set(rows.map((r) => JSON.stringify(r[i] ?? null))).size;
}

/** Whether values may be added: averages and shares may not. */
export function additive(name: string): boolean {
  return !/(^|_)(avg|average|mean|median|rate|ratio|share|percent|percentage|pct|min|max|per)(_|$)/i.test(name);
}

const units: Record<string, string> = {
  usd: "USD", eur: "EUR", gbp: "GBP", chf: "CHF", pct: "%", percent: "%", percentage: "%", seconds: "s", secs: "s", ms: "ms", minutes: "min", hours: "h",
  days: "days", kg: "kg", km: "km", bytes: "bytes", mb: "MB", gb: "GB", cents: "cents",
};

/** A column's name as the label of an axis, with its unit where the name tells one. */
export function axisLabel(name: string): string {
  const m = /^(.+)_([a-z]+)$/i.exec(name);
  const unit = m ? units[(m[2] ?? "").toLowerCase()] : undefined;
  return unit && m ? `${(m[1] ?? "").replaceAll("_", " ")} (${unit})` : name.replaceAll("_", " ");
}

export interface Bar {
  label: string;
  value: number;
  /** As many categories are in it */
  of: number;
}

export const mostBars = 12;

/**
 * Sorted bars, at most twelve. What is left is one more bar, "others", when the values may be added; else it
 * is left out, and left says how many.
 */
export function barsOf(columns: readonly ResultColumn[], rows: readonly Cell[][], c: Chart): { bars: Bar[]; left: number } {
  const x = columns[c.x];
  const y = columns[c.y];
  if (!x || !y) return { bars: [], left: 0 };
  const sums = new Map<string, number>();
  for (const row of rows) {
    const value = numberOf(row[c.y]);
    if (value === null) continue;
    const label = showCell(row[c.x] ?? null, x.type, x.name);
    const seen = sums.get(label);
    sums.set(label, seen === undefined ? value : additive(y.name) ? seen + value : Math.max(seen, value));
  }
  const all = [...sums].map(([label, value]) => ({ label, value, of: 1 })).sort((a, b) => b.value - a.value);
  if (all.length <= mostBars) return { bars: all, left: 0 };
  const bars = all.slice(0, mostBars);
  const rest = all.slice(mostBars);
  if (!additive(y.name)) return { bars, left: rest.length };
  return { bars: [...bars, { label: `others (${rest.length})`, value: rest.reduce((s, b) => s + b.value, 0), of: rest.length }], left: 0 };
}

/** One sentence for those who do not see the chart. */
export function describe(columns: readonly ResultColumn[], c: Chart, points: number): string {
  const x = columns[c.x]?.name ?? "";
  const y = columns[c.y]?.name ?? "";
  const what = { number: "One number", line: "Line chart", bar: "Bar chart", scatter: "Scatter chart" }[c.kind];
  if (c.kind === "number") return `${what}: ${y}.`;
  const by = c.series === null ? "" : `, by ${columns[c.series]?.name ?? ""}`;
  return `${what} of ${y} by ${x}${by}, ${points} ${points === 1 ? "point" : "points"}. The Table tab has the values.`;
}
