import { beforeEach, describe, expect, it } from "vitest";

import { request, requestAfter } from "./ask";
import { draft } from "./draft";

const session = draft.get().session;
beforeEach(() => draft.set({ connection: "shop", tables: [], executor: "", review: false, spark: false }));

describe("request", () => {
  it("asks the whole connection when no table is picked", () => {
    expect(request("q")).toEqual({ question: "q", connection: "shop", session });
  });
  it("says what is picked, where, and whether the code is to be shown first", () => {
    draft.set({ tables: ["shop.sales.orders"], executor: "batch", review: true, spark: true });
    expect(request("q")).toEqual({ question: "q", connection: "shop", tables: ["shop.sales.orders"], executor: "batch", review: true, engine: "spark", session });
  });
});

describe("requestAfter", () => {
  const run = { id: "r_1", state: "succeeded" as const, question: { text: "before", connection: "crm", tables: ["crm.a.b"] } };
  it("asks what the run was about, not what is picked now", () => {
    draft.set({ tables: ["shop.sales.orders"] });
    expect(requestAfter(run, "q")).toEqual({ question: "q", connection: "crm", tables: ["crm.a.b"], parent: "r_1", session });
  });
  it("adds what is picked besides, but narrows no whole connection", () => {
    expect(requestAfter(run, "q", ["crm.a.c", "crm.a.b"]).tables).toEqual(["crm.a.b", "crm.a.c"]);
    expect(requestAfter({ ...run, question: { text: "before", connection: "crm" } }, "q", ["crm.a.c"]).tables).toBeUndefined();
  });
  it("follows up what a declined question has followed up", () => {
    expect(requestAfter({ ...run, state: "declined", parent: "r_0" }, "q").parent).toBe("r_0");
    expect(requestAfter({ ...run, state: "declined" }, "q").parent).toBeUndefined();
  });
});
