import { describe, expect, it } from "vitest";

import { complete, mentionAt } from "./mention";

/** | stands for the caret. */
const at = (marked: string) => mentionAt(marked.replace("|", ""), marked.indexOf("|"));

describe("mentionAt", () => {
  it.each([
    ["@|", { start: 0, query: "" }],
    ["revenue of @ord|", { start: 11, query: "ord" }],
    ["revenue of @ord|ers by day", { start: 11, query: "ord" }],
    ["(@sales.or|", { start: 1, query: "sales.or" }],
    ["von @straße_2|", { start: 4, query: "straße_2" }],
    ["two\n@x|", { start: 4, query: "x" }],
  ])("%s", (text, want) => expect(at(text)).toEqual(want));

  it.each(["|@ord", "me@example|", "@ord ers|", "no mention|", ""])("none in %s", (text) => expect(at(text)).toBeNull());
});

describe("complete", () => {
  it("puts the name in place and the caret behind it", () => {
    const text = "revenue of @ord";
    const m = mentionAt(text, text.length);
    expect(m && complete(text, m, "orders")).toEqual({ text: "revenue of orders ", caret: 18 });
  });
  it("keeps what follows, with one space between", () => {
    const text = "of @ord by day";
    const m = mentionAt(text, 7);
    expect(m && complete(text, m, "orders")).toEqual({ text: "of orders by day", caret: 10 });
  });
});
