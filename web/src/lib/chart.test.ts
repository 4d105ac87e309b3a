import { describe as group, expect, it } from "vitest";

import type { Cell } from "@/api/result";

import { additive, axisLabel, barsOf, describe, kindsFor, roleOf, suggest, timeOf } from "./chart";

const columns = (...list: [string, string][]) => list.map(([name, type]) => ({ name, type }));

group("suggest", () => {
  it.each<[string, [string, string][], Cell[][], unknown]>([
    ["one value → a big number", [["orders", "bigint"]], [["48213"]], { kind: "number", x: 0, y: 0, series: null }],
    ["one row of several values → none", [["a", "bigint"], ["b", "bigint"]], [["1", "2"]], null],
    ["one text → none", [["name", "string"]], [["x"]], null],
    ["time and number → line", [["n", "bigint"], ["day", "date"]], [["1", "2025-01-01"], ["2", "2025-01-02"]], { kind: "line", x: 1, y: 0, series: null }],
    ["month as text → line", [["month", "string"], ["n", "bigint"]], [["2025-01", "1"], ["2025-02", "2"]], { kind: "line", x: 0, y: 1, series: null }],
    ["year as number → line", [["order_year", "int"], ["n", "bigint"]], [["2024", "1"], ["2025", "2"]], { kind: "line", x: 0, y: 1, series: null }],
    [
      "time, few categories, number → lines by colour", [["month", "date"], ["country", "string"], ["n", "bigint"]],
      [["2025-01-01", "DE", "1"], ["2025-01-01", "FR", "2"]], { kind: "line", x: 0, y: 2, series: 1 },
    ],
    [
      "a time beside a name is one more fact of it → bars", [["country", "string"], ["n", "bigint"], ["first_order", "date"]],
      [["DE", "1", "2025-01-01"], ["FR", "2", "2025-02-01"]], { kind: "bar", x: 0, y: 1, series: null },
    ],
    ["category and number → bars", [["country", "string"], ["revenue", "decimal(18,2)"]], [["DE", "1"], ["FR", "2"]], { kind: "bar", x: 0, y: 1, series: null }],
    ["an id is a name, and a name is better", [["customer_id", "bigint"], ["name", "string"], ["n", "bigint"]], [["1", "a", "3"], ["2", "b", "4"]], { kind: "bar", x: 1, y: 2, series: null }],
    ["two numbers → scatter", [["price", "double"], ["weight", "double"]], [["1", "2"], ["3", "4"]], { kind: "scatter", x: 0, y: 1, series: null }],
    ["no number → none", [["a", "string"], ["b", "string"]], [["x", "y"], ["z", "w"]], null],
    ["nothing → none", [["n", "bigint"]], [], null],
  ])("%s", (_, list, rows, want) => expect(suggest(columns(...list), rows, rows.length)).toEqual(want));

  it("does not split into more colours than can be told apart", () => {
    const rows = Array.from({ length: 20 }, (_, i) => ["2025-01-01", `c${i}`, "1"]);
    expect(suggest(columns(["day", "date"], ["c", "string"], ["n", "int"]), rows, 20)?.series).toBeNull();
  });
});

group("roleOf", () => {
  it("takes text for a time only when every value is one", () => {
    expect(roleOf({ name: "month", type: "string" }, ["2025-01", null])).toBe("time");
    expect(roleOf({ name: "month", type: "string" }, ["2025-01", "later"])).toBe("category");
    expect(roleOf({ name: "month", type: "string" }, [])).toBe("category");
    expect(roleOf({ name: "year", type: "int" }, ["3", "4"])).toBe("number");
  });
});

group("timeOf", () => {
  it.each([
    ["2025-03-01", Date.UTC(2025, 2, 1)],
    ["2025-03", Date.UTC(2025, 2, 1)],
    ["2025", Date.UTC(2025, 0, 1)],
    ["2025-03-01 04:05:06.500000", Date.UTC(2025, 2, 1, 4, 5, 6, 500)],
    ["2025-03-01T04:05:06Z", Date.UTC(2025, 2, 1, 4, 5, 6)],
    ["March", null],
    ["20250301", null],
  ])("%s", (text, want) => expect(timeOf(text)).toBe(want));
});

group("barsOf", () => {
  const many = Array.from({ length: 15 }, (_, i) => [`c${i}`, String(i)]);
  const chart = { kind: "bar" as const, x: 0, y: 1, series: null };
  it("sorts, and adds what is left as others", () => {
    const { bars, left } = barsOf(columns(["c", "string"], ["orders", "bigint"]), many, chart);
    expect(bars).toHaveLength(13);
    expect(bars[0]).toEqual({ label: "c14", value: 14, of: 1 });
    expect(bars[12]).toEqual({ label: "others (3)", value: 0 + 1 + 2, of: 3 });
    expect(left).toBe(0);
  });
  it("never adds averages", () => {
    const { bars, left } = barsOf(columns(["c", "string"], ["avg_price", "double"]), many, chart);
    expect([bars.length, left]).toEqual([12, 3]);
  });
  it("leaves out what is no number, and shows NULL as a category", () => {
    expect(barsOf(columns(["c", "string"], ["n", "bigint"]), [[null, "2"], ["x", null]], chart).bars).toEqual([{ label: "∅", value: 2, of: 1 }]);
  });
});

group("words", () => {
  it("tells units from names", () => {
    expect([axisLabel("revenue_eur"), axisLabel("order_count"), axisLabel("load_seconds"), axisLabel("usd")]).toEqual(["revenue (EUR)", "order count", "load (s)", "usd"]);
  });
  it("knows what may be added", () => {
    expect([additive("revenue"), additive("avg_price"), additive("conversion_rate"), additive("maximum")]).toEqual([true, false, false, true]);
  });
  it("describes", () => {
    expect(describe(columns(["c", "string"], ["n", "bigint"]), { kind: "bar", x: 0, y: 1, series: null }, 2)).toBe("Bar chart of n by c, 2 points. The Table tab has the values.");
  });
  it("offers only what can be drawn", () => {
    expect(kindsFor(columns(["c", "string"]), [["x"]])).toEqual([]);
    expect(kindsFor(columns(["c", "string"], ["n", "bigint"]), [["x", "1"], ["y", "2"]])).toEqual(["bar", "line"]);
  });
});
