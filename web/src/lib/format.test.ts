import { describe, expect, it } from "vitest";

import { bytes, clockUTC, count, day, duration, groups, plural } from "./format";

describe("groups", () => {
  it.each([
    ["12204331.10", "12,204,331.10"],
    ["-1234567.8000", "-1,234,567.8000"],
    ["9223372036854775807", "9,223,372,036,854,775,807"],
    ["123", "123"],
    ["0.000001", "0.000001"],
    ["1.5E10", "1.5E10"],
    ["NaN", "NaN"],
    ["-Infinity", "-Infinity"],
    ["", ""],
  ])("%s → %s", (from, to) => expect(groups(from)).toBe(to));
});

describe("sizes", () => {
  it.each([[0, "0 B"], [999, "999 B"], [1000, "1 kB"], [1234567, "1.2 MB"], [94_000_000, "94 MB"], [999_999, "1 MB"], [-1, "size not known"]])(
    "%d bytes → %s",
    (n, text) => expect(bytes(n)).toBe(text),
  );
  it.each([[0, "0"], [999, "999"], [1000, "1 k"], [48_213, "48 k"], [1_200_000, "1.2 M"], [999_900, "1 M"], [-1, "not counted"]])("%d → %s", (n, text) =>
    expect(count(n)).toBe(text),
  );
  it("has words for one and many", () => {
    expect([plural(1, "row"), plural(0, "row"), plural(12345, "row")]).toEqual(["1 row", "0 rows", "12,345 rows"]);
  });
});

describe("times", () => {
  it.each([[0, "0 s"], [0.042, "42 ms"], [1.34, "1.3 s"], [9.96, "10 s"], [59.6, "1 min 0 s"], [75, "1 min 15 s"], [7260, "2 h 1 min"], [-1, ""]])(
    "%d s → %s",
    (n, text) => expect(duration(n)).toBe(text),
  );
  it("reads the clock in UTC", () => {
    expect(clockUTC("2026-01-02T14:03:22.5Z")).toBe("14:03:22 UTC");
    expect(clockUTC("nothing")).toBe("");
  });
  it("names days", () => {
    const now = new Date(2026, 2, 12, 9, 0);
    expect(day(new Date(2026, 2, 12, 0, 1).toISOString(), now)).toBe("today");
    expect(day(new Date(2026, 2, 11, 23, 59).toISOString(), now)).toBe("yesterday");
    expect(day(new Date(2026, 1, 3).toISOString(), now)).toBe("3 February");
    expect(day(new Date(2025, 1, 3).toISOString(), now)).toBe("3 February 2025");
  });
});
