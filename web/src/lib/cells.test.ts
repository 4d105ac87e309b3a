import { describe, expect, it } from "vitest";

import { kindOf, numberOf, plainCell, showCell, tsv } from "./cells";

describe("showCell", () => {
  it.each([
    [null, "bigint", "n", "∅"],
    ["", "string", "s", "''"],
    ["9223372036854775807", "bigint", "total", "9,223,372,036,854,775,807"],
    ["12204331.10", "decimal(38,2)", "revenue", "12,204,331.10"],
    ["2025", "int", "year", "2025"],
    ["1234567", "bigint", "customer_id", "1234567"],
    ["1234567", "bigint", "paid", "1,234,567"],
    ["1.0E-7", "double", "x", "1.0E-7"],
    [true, "boolean", "b", "true"],
    ["1234567", "string", "s", "1234567"],
    ["2025-01-02T03:04:05.000000", "timestamp", "t", "2025-01-02 03:04:05"],
    ["2025-01-02T03:04:05.120000", "timestamp", "t", "2025-01-02 03:04:05.120000"],
    [{ json: "[1.10]" }, "array<decimal(3,2)>", "a", "[1.10]"],
  ])("%j %s %s → %s", (cell, type, column, want) => expect(showCell(cell, type, column)).toBe(want));
});

describe("kindOf", () => {
  it.each([["decimal(18,2)", "number"], ["bigint", "number"], ["interval day", "text"], ["timestamp_ntz", "time"], ["struct<a:int>", "nested"], ["string", "text"]])(
    "%s is %s",
    (type, kind) => expect(kindOf(type)).toBe(kind),
  );
});

describe("tsv", () => {
  const columns = [{ name: "name", type: "string" }, { name: "n", type: "int" }];
  it("quotes what would break a row, and keeps every digit", () => {
    expect(tsv(columns, [["a\tb", "-1"], ['say "x"', null], ["two\nlines", "12345678901234567890"]])).toBe(
      'name\tn\n"a\tb"\t-1\n"say ""x"""\t\n"two\nlines"\t12345678901234567890',
    );
  });
  it("guards text that a sheet would take for a formula, and no number", () => {
    expect(tsv(columns, [["=1+1", "-5"]])).toBe("name\tn\n'=1+1\t-5");
  });
});

describe("numberOf", () => {
  it("is null for what is no number", () => {
    expect([numberOf("1.5"), numberOf("NaN"), numberOf(""), numberOf(null), numberOf(true), numberOf(undefined)]).toEqual([1.5, null, null, null, null, null]);
  });
  it("plainCell leaves NULL empty", () => {
    expect([plainCell(null), plainCell(false), plainCell({ json: "{}" })]).toEqual(["", "false", "{}"]);
  });
});
