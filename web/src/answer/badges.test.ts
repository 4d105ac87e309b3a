import { describe, expect, it } from "vitest";

import type { Run } from "@/api/types";

import { badgesOf } from "./badges";

const result: NonNullable<Run["result"]> = { columns: [{ name: "n", type: "bigint" }], row_count: 1, bytes: 100, preview: [], truncated: false, spark: "4.0.1" };
const run: Run = {
  id: "r", question: { text: "q" }, state: "succeeded", final: true, pinned: false, placement: { executor: "connect", reason: "" }, generator: "planner", analysis: "result = t",
  usage: { input_tokens: 0, output_tokens: 0, calls: 0 }, repairs: 0, created_at: "2025-01-01T00:00:00Z", confidence: "high",
  result,
};
const second = { state: "agrees" as const, understood: "count of orders", code: "" };
const said = (r: Run, part: string) => badgesOf(r).find((b) => b.text.includes(part));

describe("badgesOf", () => {
  it("says what confidence rests on", () => {
    expect(said(run, "confidence")).toMatchObject({ text: "high confidence", tone: "good", why: expect.stringContaining("planner") });
    expect(said({ ...run, verified: true }, "confidence")?.why).toBe("A person has verified this answer.");
    expect(said({ ...run, generator: "m", crosscheck: { state: "not_checked", second } }, "confidence")?.why).toMatch(/twice.*count of orders/);
    expect(said({ ...run, confidence: "low", crosscheck: { state: "not_checked", second: { ...second, state: "differs", why: "2 rows, not 3" } } }, "confidence"))
      .toMatchObject({ tone: "bad", why: "Another reading gives other rows: count of orders (2 rows, not 3)" });
    expect(said({ ...run, confidence: "low", crosscheck: { state: "mismatch" } }, "confidence")?.why).toMatch(/totals differ/);
    expect(said({ ...run, confidence: "medium", generator: "user" }, "confidence")?.why).toMatch(/person; nothing else/);
  });
  it("gives no label where there is no answer", () => {
    expect(badgesOf({ ...run, state: "failed", result: undefined, confidence: undefined } as Run).some((b) => /confidence/.test(b.text))).toBe(false);
  });
  it("warns of a run outside the sandbox, of a failed one too", () => {
    const receipt = { expected: { seconds: 0 }, actual: { seconds: 0 } };
    expect(said({ ...run, receipt: { ...receipt, sandbox: "off" } }, "sandbox")?.tone).toBe("warn");
    expect(said({ ...run, receipt: { ...receipt, sandbox: "on" } }, "sandbox")).toBeUndefined();
    expect(said({ ...run, state: "failed", result: undefined, receipt: { ...receipt, sandbox: "off" } } as Run, "sandbox")).toBeDefined();
  });
  it("tells a common snapshot from none, and differing totals from verified ones", () => {
    const snapshot = { time: "2025-01-01T14:03:22Z" };
    expect(said({ ...run, result: { ...result, snapshot } }, "snapshot")).toMatchObject({ text: "one snapshot 14:03:22 UTC", tone: "good" });
    expect(said({ ...run, result: { ...result, snapshot: { ...snapshot, none: "two databases" } } }, "snapshot")?.tone).toBe("warn");
    expect(said({ ...run, crosscheck: { state: "mismatch", expected: "5", got: "6" } }, "totals")?.why).toContain("gave 5");
    expect(said({ ...run, crosscheck: { state: "verified" } }, "totals")?.tone).toBe("good");
  });
});
