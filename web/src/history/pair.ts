import type { Cell } from "@/api/result";
import { kindOf } from "@/lib/cells";

/** A row that is in both results, with other values. */
export interface Changed {
  a: Cell[];
  b: Cell[];
  /** Places of the cells that differ */
  cells: number[];
}

export interface Pairs {
  changed: Changed[];
  onlyA: Cell[][];
  onlyB: Cell[][];
  /** Names of the columns by which rows were paired; none = they could not be */
  by: string[];
}

/**
 * Pairs rows that differ by what names them: the columns that are no numbers, when their values tell all of
 * the rows apart. "Germany 12" and "Germany 13" is one row that has changed, not one less and one more.
 */
export function pair(columns: readonly { name: string; type: string }[], a: readonly Cell[][], b: readonly Cell[][]): Pairs {
  const places = columns.flatMap((c, i) => (["text", "time", "boolean"].includes(kindOf(c.type)) ? [i] : []));
  const none = { changed: [], onlyA: [...a], onlyB: [...b], by: [] };
  if (places.length === 0 || places.length === columns.length) return none;
  const key = (row: readonly Cell[]) => JSON.stringify(places.map((i) => row[i] ?? null));
  const left = new Map(a.map((row) => [key(row), row]));
  const right = new Map(b.map((row) => [key(row), row]));
  if (left.size !== a.length || right.size !== b.length) return none;
  const changed: Changed[] = [];
  for (const [k, row] of left) {
    const other = right.get(k);
    if (!other) continue;
    changed.push({ a: row, b: other, cells: columns.flatMap((_, i) => (same(row[i], other[i]) ? [] : [i])) });
  }
  return {
    changed,
    onlyA: a.filter((row) => !right.has(key(row))),
    onlyB: b.filter((row) => !left.has(key(row))),
    by: places.map((i) => columns[i]?.name ?? ""),
  };
}

const same = (x: Cell | undefined, y: Cell | undefined): boolean => JSON.stringify(x ?? null) === JSON.stringify(y ?? null);
