import { describe, expect, it } from "vitest";

import type { Revision, Run } from "@/api/types";

import { remarksOf } from "./remarks";

const run: Run = {
  id: "r", question: { text: "q" }, state: "failed", final: true, pinned: false, placement: { executor: "connect", reason: "" },
  usage: { input_tokens: 0, output_tokens: 0, calls: 0 }, repairs: 0, created_at: "2025-01-01T00:00:00Z",
};
const revision: Revision = { number: 1, code: "import os", code_hash: "h", generator: "user", created_at: "2025-01-01T00:00:00Z" };
const fault = { kind: "code", class: "POLICY_VIOLATION", message: "not allowed", because: "os cannot be imported", remedy: "leave it out", line: 1 };

describe("remarksOf", () => {
  it("says what, why and what to do, at the line", () => {
    expect(remarksOf({ ...revision, fault }, run, false)).toEqual([{ line: 1, message: "not allowed\nos cannot be imported\nleave it out", severity: "error" }]);
  });
  it("marks the last version with what the run has failed by, when that is the code", () => {
    expect(remarksOf(revision, { ...run, fault }, true)).toHaveLength(1);
    expect(remarksOf(revision, { ...run, fault: { ...fault, kind: "infrastructure" } }, true)).toEqual([]);
    expect(remarksOf(revision, { ...run, fault }, false)).toEqual([]);
  });
  it("warns of what the lint has found, in the last version only", () => {
    const found = { ...run, findings: [{ rule: "x", line: 3, message: "ties", repair: false }] };
    expect(remarksOf(revision, found, true)).toEqual([{ line: 3, message: "ties", severity: "warning" }]);
    expect(remarksOf(revision, found, false)).toEqual([]);
  });
});
