import { describe, expect, it } from "vitest";

import type { Plan } from "@/api/types";

import { expectation } from "./expectation";

const plan: Plan = { placement: { executor: "connect", reason: "" }, tables: [], rows: 0, bytes: 177e6, expected: { seconds: 1.2 } };

describe("expectation", () => {
  it("says what is read, how long it takes and what it costs", () => {
    expect(expectation(plan)).toBe(" · up to 177 MB, 1.2 s");
    expect(expectation({ ...plan, expected: { seconds: 95, usd: 0.125 } })).toBe(" · up to 177 MB, 1 min 35 s · ~$0.13");
    expect(expectation({ ...plan, expected: { seconds: 40, usd: 0.0004 } })).toContain("under $0.01");
  });
  it("says nothing of what is not known", () => {
    expect(expectation(undefined)).toBe("");
    expect(expectation({ ...plan, bytes: 0, expected: { seconds: 0 } })).toBe("");
    expect(expectation({ ...plan, bytes: -1 })).toBe(" · up to 1.2 s");
  });
});
