import { describe, expect, it } from "vitest";
import { compile } from "vega-lite";

import { draw, type Look } from "./chartSpec";

const look: Look = { text: "#111", muted: "#222", line: "#333", accent: "#444", surface: "#fff", font: "Inter" };
const size = { width: 600, height: 300 };
const columns = [{ name: "country", type: "string" }, { name: "revenue_usd", type: "decimal(18,2)" }, { name: "created_at", type: "timestamp" }];
const rows = Array.from({ length: 20 }, (_, i) => [`c${i}`, String(100 - i), `2025-01-${String(i + 1).padStart(2, "0")}T00:00:00`]);

describe("draw", () => {
  it("makes a spec that Vega-Lite takes, of every kind", () => {
    for (const kind of ["bar", "line", "scatter"] as const) {
      const { spec } = draw(columns, rows, { kind, x: kind === "line" ? 2 : 0, y: 1, series: null }, look, size);
      expect(compile(spec).spec.marks?.length, kind).toBeGreaterThan(0);
    }
  });
  it("draws twelve bars and the others, with the unit on the axis", () => {
    const text = JSON.stringify(draw(columns, rows, { kind: "bar", x: 0, y: 1, series: null }, look, size).spec);
    expect(text).toContain("others (8)");
    expect(text).toContain("revenue (USD)");
  });
  it("says what it leaves out", () => {
    const average = [columns[0] ?? { name: "", type: "" }, { name: "avg_price", type: "double" }];
    expect(draw(average, rows, { kind: "bar", x: 0, y: 1, series: null }, look, size).note).toMatch(/^8 more/);
    const gaps = [...rows, ["none", null, "2025-02-01T00:00:00"]];
    expect(draw(columns, gaps, { kind: "line", x: 2, y: 1, series: null }, look, size).note).toMatch(/^1 row without/);
  });
  it("takes the colours of the theme", () => {
    const { spec } = draw(columns, rows, { kind: "line", x: 2, y: 1, series: null }, look, size);
    expect(JSON.stringify(spec)).toContain('"value":"#444"');
    expect(spec.config?.axis).toMatchObject({ labelColor: "#222", gridColor: "#333" });
  });
});
