import { isLosslessNumber, parse, stringify } from "lossless-json";

import { Problem } from "./problem";
import type { ResultColumn } from "./types";

/**
 * A cell as the job wrote it. Numbers are text with all their digits: a bigint or a decimal
 * does not fit into a number of JavaScript.
 */
export type Cell = null | boolean | string | { readonly json: string };

export interface ResultPage {
  columns: ResultColumn[];
  rows: Cell[][];
  offset: number;
  total: number;
  nextOffset: number | null;
}

/** One cell, from JSON that was read without loss. */
export function cellOf(v: unknown): Cell {
  if (v === null || v === undefined) return null;
  if (typeof v === "boolean" || typeof v === "string") return v;
  if (isLosslessNumber(v)) return v.value;
  return { json: stringify(v) ?? "null" };
}

const isRecord = (v: unknown): v is Record<string, unknown> => typeof v === "object" && v !== null && !Array.isArray(v);
const integer = (v: unknown): number => Number(isLosslessNumber(v) ? v.value : v);

/** Reads a page of a result from its JSON, every digit kept. */
export function parsePage(json: string): ResultPage {
  const doc = parse(json);
  if (!isRecord(doc) || !Array.isArray(doc.columns)) {
    throw new Problem({ title: "the server's answer is not a page of a result", code: "internal" });
  }
  const columns = doc.columns.filter(isRecord).map((c) => ({ name: String(c.name), type: String(c.type) }));
  const rows = Array.isArray(doc.rows) ? doc.rows : [];
  return {
    columns,
    rows: rows.map((row: unknown) => (Array.isArray(row) ? row.map(cellOf) : [])),
    offset: integer(doc.offset),
    total: integer(doc.total),
    nextOffset: doc.next_offset === undefined ? null : integer(doc.next_offset),
  };
}
