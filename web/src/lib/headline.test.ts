import { describe, expect, it } from "vitest";

import { headline } from "./headline";

describe("headline", () => {
  it("leaves out of Spark's message what stands below it", () => {
    const message = '[DIVIDE_BY_ZERO] Division by zero. Use `try_divide` to tolerate it. SQLSTATE: 22012 == SQL (line 1, position 8) == SELECT 1 / 0 ^^^^^';
    expect(headline(message)).toBe("Division by zero. Use `try_divide` to tolerate it.");
  });
  it("keeps everything else as it is", () => {
    expect(headline("os cannot be imported")).toBe("os cannot be imported");
    expect(headline("[a, b] is no list")).toBe("[a, b] is no list");
    expect(headline("SQLSTATE 42P01 is in the middle of it")).toBe("SQLSTATE 42P01 is in the middle of it");
    expect(headline("== SQL == SELECT")).toBe("== SQL == SELECT");
    expect(headline("")).toBe("");
  });
});
