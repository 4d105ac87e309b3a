import { describe, expect, it } from "vitest";

import { parsePage } from "./result";

describe("parsePage", () => {
  it("keeps every digit of every number", () => {
    const page = parsePage(
      '{"columns":[{"name":"n","type":"bigint"}],"rows":[[9223372036854775807,12204331.10,1e400,"x",null,true]],"offset":0,"total":9007199254740993}',
    );
    expect(page.rows[0]).toEqual(["9223372036854775807", "12204331.10", "1e400", "x", null, true]);
    expect(page.nextOffset).toBeNull();
  });

  it("keeps digits inside lists and objects", () => {
    const page = parsePage('{"columns":[],"rows":[[[1.10,{"a":12345678901234567890}]]],"offset":0,"total":1,"next_offset":100}');
    expect(page.rows[0]?.[0]).toEqual({ json: '[1.10,{"a":12345678901234567890}]' });
    expect(page.nextOffset).toBe(100);
  });

  it("takes a result without rows", () => {
    expect(parsePage('{"columns":[{"name":"a","type":"string"}],"rows":null,"offset":0,"total":0}').rows).toEqual([]);
  });

  it("refuses what is no page", () => {
    expect(() => parsePage("[]")).toThrow(/not a page/);
  });
});
