import { describe, expect, it } from "vitest";

import { parseComparison } from "@/api/desk";

import { pair } from "./pair";

const columns = [{ name: "country", type: "string" }, { name: "revenue", type: "decimal(18,2)" }, { name: "orders", type: "bigint" }];

describe("pair", () => {
  it("pairs rows by what names them", () => {
    const p = pair(columns, [["DE", "12.00", "3"], ["FR", "1.00", "1"]], [["DE", "12.50", "3"], ["IT", "2.00", "1"]]);
    expect(p.changed).toEqual([{ a: ["DE", "12.00", "3"], b: ["DE", "12.50", "3"], cells: [1] }]);
    expect(p.onlyA).toEqual([["FR", "1.00", "1"]]);
    expect(p.onlyB).toEqual([["IT", "2.00", "1"]]);
    expect(p.by).toEqual(["country"]);
  });
  it("does not guess when names are not unique, or when there are none", () => {
    expect(pair(columns, [["DE", "1", "1"], ["DE", "2", "2"]], [["DE", "3", "3"]])).toMatchObject({ changed: [], by: [], onlyB: [["DE", "3", "3"]] });
    const numbers = [{ name: "n", type: "bigint" }];
    expect(pair(numbers, [["1"]], [["2"]])).toEqual({ changed: [], onlyA: [["1"]], onlyB: [["2"]], by: [] });
    const texts = [{ name: "t", type: "string" }];
    expect(pair(texts, [["a"]], [["b"]]).by).toEqual([]);
  });
  it("tells NULL from empty text", () => {
    const p = pair(columns, [[null, "1", "1"]], [["", "1", "1"]]);
    expect(p.changed).toEqual([]);
    expect(p.onlyA).toHaveLength(1);
  });
});

describe("parseComparison", () => {
  it("keeps every digit of the rows", () => {
    const summary = { id: "r_1", question: { text: "q" }, state: "succeeded", final: true, pinned: false, repairs: 0, created_at: "2026-01-01T00:00:00Z" };
    const text = JSON.stringify({ a: summary, b: summary, same_code: false, columns: ["n"], schema: [{ name: "n", type: "decimal(38,2)" }], same: 4, only_a: 1, only_b: 0, in_order: false, rows_b: [] })
      .replace('"rows_b"', '"rows_a":[[12345678901234567890.10]],"rows_b"');
    const c = parseComparison(text);
    expect(c.rowsA).toEqual([["12345678901234567890.10"]]);
    expect(c).toMatchObject({ same: 4, onlyA: 1, columns: [{ name: "n" }], missingA: [] });
  });
  it("refuses what is no comparison", () => {
    expect(() => parseComparison("[]")).toThrow("not a comparison");
  });
});
