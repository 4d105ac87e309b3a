import { expect, it } from "vitest";

import { historySearch } from "./search";

it("takes from an address only what makes sense", () => {
  expect(historySearch({ q: "orders", state: "failed", pinned: true })).toEqual({ q: "orders", state: "failed", pinned: true });
  expect(historySearch({ q: 2025, state: "nonsense", pinned: "yes" })).toEqual({ q: "2025" });
  expect(historySearch({ q: { a: 1 }, state: 4 })).toEqual({});
  expect(historySearch({ q: "x".repeat(300) }).q).toHaveLength(200);
});
