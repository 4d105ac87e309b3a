import type { TopLevelSpec } from "vega-lite";

import type { Cell } from "@/api/result";
import type { ResultColumn } from "@/api/types";
import { numberOf, showCell } from "@/lib/cells";
import { plural, whole } from "@/lib/format";
import { axisLabel, barsOf, describe, roleOf, timeOf, type Chart } from "@/lib/chart";

/** The colours and fonts of the theme that is in use. */
export interface Look {
  text: string;
  muted: string;
  line: string;
  accent: string;
  surface: string;
  font: string;
}

/** Told apart also without colour vision, in both themes; the accent comes first. */
const palette = ["#5f6ce4", "#d97706", "#0d9488", "#db2777", "#65a30d", "#0284c7", "#9333ea", "#78716c"];

export interface Drawing {
  spec: TopLevelSpec;
  /** In words, for those who do not see it */
  description: string;
  /** What the chart leaves out */
  note: string;
}

/** The Vega-Lite spec of a chart. Numbers are rounded to what a screen can show; the table has the exact ones. */
export function draw(columns: readonly ResultColumn[], rows: readonly Cell[][], chart: Chart, look: Look, size: { width: number; height: number }): Drawing {
  const x = columns[chart.x];
  const y = columns[chart.y];
  if (!x || !y) throw new Error("the chart has no columns");
  const series = chart.series === null ? undefined : columns[chart.series];
  const format = { axis: { format: "~s" as const, tickCount: 6, labelExpr: "datum.value === 0 ? '0' : datum.label" } };
  const base = { ...size, autosize: { type: "fit" as const, contains: "padding" as const }, background: "transparent", padding: 8, config: configOf(look) };

  if (chart.kind === "bar") {
    const { bars, left } = barsOf(columns, rows, chart);
    const description = describe(columns, chart, bars.length);
    const spec: TopLevelSpec = {
      ...base, description,
      data: { values: bars },
      mark: { type: "bar", cornerRadiusEnd: 3, height: { band: 0.7 } },
      encoding: {
        y: { field: "label", type: "nominal", sort: null, title: axisLabel(x.name), axis: { labelLimit: 180, ticks: false, domain: false } },
        x: { field: "value", type: "quantitative", title: axisLabel(y.name), ...format },
        color: { condition: { test: "datum.of > 1", value: look.muted }, value: look.accent },
        tooltip: [{ field: "label", title: x.name }, { field: "value", title: y.name, format: ",.6~f" }],
      },
    };
    return { spec, description, note: left > 0 ? `${whole(left)} more ${left === 1 ? "is" : "are"} not drawn: such values cannot be added up.` : "" };
  }

  const role = roleOf(x, rows.map((r) => r[chart.x] ?? null));
  const at = (cell: Cell | undefined): number | string | null =>
    role === "time" ? timeOf(cell) : chart.kind === "scatter" || role === "number" ? numberOf(cell) : cell === undefined ? null : showCell(cell, x.type, x.name);
  const values = rows
    .map((r) => ({ x: at(r[chart.x]), y: numberOf(r[chart.y]), s: series && chart.series !== null ? showCell(r[chart.series] ?? null, series.type, series.name) : "" }))
    .filter((v) => v.x !== null && v.y !== null);
  const description = describe(columns, chart, values.length);
  const across = role === "time" ? ("temporal" as const) : role === "number" || chart.kind === "scatter" ? ("quantitative" as const) : ("nominal" as const);
  const few = values.length <= 40;
  const spec: TopLevelSpec = {
    ...base, description,
    data: { values },
    mark: chart.kind === "line" ? { type: "line", strokeWidth: 2, point: few ? { size: 36, filled: true } : false, interpolate: "linear" } : { type: "point", filled: true, size: 40, opacity: 0.7 },
    encoding: {
      x: {
        field: "x", type: across, title: axisLabel(x.name),
        ...(across === "temporal" ? { scale: { type: "utc" }, axis: { grid: false, labelOverlap: true } } : { sort: null, axis: { grid: across === "quantitative" && chart.kind === "scatter", labelOverlap: true, labelLimit: 120 }, ...(chart.kind === "scatter" ? { scale: { zero: false } } : {}) }),
      },
      y: { field: "y", type: "quantitative", title: axisLabel(y.name), scale: { zero: chart.kind === "line" }, ...format },
      ...(series ? { color: { field: "s", type: "nominal", title: axisLabel(series.name), scale: { range: palette } } } : { color: { value: look.accent } }),
      tooltip: [
        { field: "x", type: across, title: x.name, ...(across === "temporal" ? { format: "%Y-%m-%d" } : {}) },
        ...(series ? [{ field: "s", title: series.name }] : []),
        { field: "y", type: "quantitative", title: y.name, format: ",.6~f" },
      ],
    },
  };
  const left = rows.length - values.length;
  return { spec, description, note: left > 0 ? `${plural(left, "row")} without a value ${left === 1 ? "is" : "are"} not drawn.` : "" };
}

function configOf(look: Look): NonNullable<TopLevelSpec["config"]> {
  return {
    font: look.font,
    view: { stroke: null },
    axis: {
      labelColor: look.muted, titleColor: look.text, titleFontWeight: 500, titleFontSize: 12, labelFontSize: 12, titlePadding: 10,
      gridColor: look.line, domainColor: look.line, tickColor: look.line, labelPadding: 6,
    },
    legend: { labelColor: look.text, titleColor: look.muted, labelFontSize: 12, titleFontSize: 12, titleFontWeight: 500, orient: "top", symbolType: "circle" },
  };
}
