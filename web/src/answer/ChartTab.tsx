import { Button, NativeSelect, useComputedColorScheme } from "@mantine/core";
import { useElementSize } from "@mantine/hooks";
import { IconDownload } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useEffect, useMemo, useRef, useState } from "react";
import { parse, View } from "vega";
import { expressionInterpreter } from "vega-interpreter";
import { compile } from "vega-lite";

import { drawableQuery } from "@/api/queries";
import type { Cell } from "@/api/result";
import type { ResultColumn, Run } from "@/api/types";
import { kindOf, showCell } from "@/lib/cells";
import { axisLabel, kindsFor, roleOf, suggest, type Chart, type ChartKind } from "@/lib/chart";
import { plural, whole } from "@/lib/format";
import { ProblemNote } from "@/shell/ProblemNote";

import classes from "./Answer.module.css";
import chartClasses from "./ChartTab.module.css";
import { draw, type Look } from "./chartSpec";
import { Panel, Waiting } from "./Panel";

const names: Record<ChartKind, string> = { bar: "Bars", line: "Line", scatter: "Points", number: "One number" };

/** A chart chosen from the shape of the result; every choice can be changed. */
export default function ChartTab({ run, result }: { run: Run; result: NonNullable<Run["result"]> }) {
  const page = useQuery(drawableQuery(run.id));
  if (page.isPending) return <Waiting />;
  if (page.isError) return <div style={{ padding: 12 }}><ProblemNote error={page.error} onRetry={() => void page.refetch()} /></div>;
  return <Choice run={run} columns={result.columns ?? []} rows={page.data} total={result.row_count} />;
}

function Choice({ run, columns, rows, total }: { run: Run; columns: ResultColumn[]; rows: Cell[][]; total: number }) {
  const first = useMemo(() => suggest(columns, rows, total), [columns, rows, total]);
  const kinds = useMemo(() => kindsFor(columns, rows), [columns, rows]);
  const [chosen, setChosen] = useState<Partial<Chart>>({});
  const roles = useMemo(() => columns.map((c, i) => roleOf(c, rows.map((r) => r[i] ?? null))), [columns, rows]);
  const numbers = columns.flatMap((_, i) => (roles[i] === "number" ? [i] : []));
  const kind = chosen.kind ?? first?.kind;
  const fallbackY = numbers[0];
  const chart: Chart | null =
    kind === undefined || fallbackY === undefined
      ? null
      : {
          kind,
          x: chosen.x ?? (kind === "scatter" ? (numbers.find((n) => n !== (chosen.y ?? numbers[1])) ?? 0) : (first?.x ?? columns.findIndex((_, i) => i !== fallbackY))),
          y: chosen.y ?? (kind === "scatter" ? (numbers[1] ?? fallbackY) : first && first.kind !== "scatter" ? first.y : fallbackY),
          series: chosen.series !== undefined ? chosen.series : kind === "line" ? (first?.series ?? null) : null,
        };
  if (!chart) {
    if (kinds.length === 0) return <Panel>{total === 0 ? "There are no rows to draw." : "Nothing in this result can be drawn: it has no column of amounts."}</Panel>;
    return (
      <Panel>
        <span>No chart fits this result by itself.</span>
        <span style={{ display: "flex", gap: 8 }}>
          {kinds.map((k) => (
            <Button key={k} size="compact-sm" variant="default" onClick={() => setChosen({ kind: k })}>{names[k]}</Button>
          ))}
        </span>
      </Panel>
    );
  }
  const option = (i: number) => ({ value: String(i), label: columns[i]?.name ?? "" });
  const any = columns.map((_, i) => option(i));
  const offered = kinds.includes(chart.kind) ? kinds : [chart.kind, ...kinds];
  return (
    <>
      <div className={classes.toolbar}>
        <NativeSelect size="xs" aria-label="Kind of chart" value={chart.kind} data={offered.map((k) => ({ value: k, label: names[k] }))} onChange={(e) => setChosen((c) => ({ ...c, kind: offered.find((k) => k === e.currentTarget.value) ?? chart.kind }))} />
        {chart.kind !== "number" && (
          <>
            <label className={chartClasses.pick}>of <NativeSelect size="xs" aria-label="Amount" value={String(chart.y)} data={numbers.map(option)} onChange={(e) => setChosen((c) => ({ ...c, y: Number(e.currentTarget.value) }))} /></label>
            <label className={chartClasses.pick}>by <NativeSelect size="xs" aria-label="By" value={String(chart.x)} data={any} onChange={(e) => setChosen((c) => ({ ...c, x: Number(e.currentTarget.value) }))} /></label>
          </>
        )}
        {(chart.kind === "line" || chart.kind === "scatter") && (
          <label className={chartClasses.pick}>colour <NativeSelect size="xs" aria-label="Colour" value={chart.series === null ? "" : String(chart.series)} data={[{ value: "", label: "one" }, ...any]} onChange={(e) => setChosen((c) => ({ ...c, series: e.currentTarget.value === "" ? null : Number(e.currentTarget.value) }))} /></label>
        )}
        <span className={classes.space} />
        {rows.length < total && <span className="tabular">of the first {whole(rows.length)} of {plural(total, "row")}</span>}
      </div>
      {chart.kind === "number" ? <BigNumber column={columns[chart.y]} cell={rows[0]?.[chart.y] ?? null} /> : <Drawn run={run} columns={columns} rows={rows} chart={chart} />}
    </>
  );
}

function BigNumber({ column, cell }: { column: ResultColumn | undefined; cell: Cell }) {
  if (!column) return null;
  return (
    <div className={chartClasses.big}>
      <div className={`${chartClasses.figure} tabular`} data-number={kindOf(column.type)}>{showCell(cell, column.type, column.name)}</div>
      <div className="muted">{axisLabel(column.name)}</div>
    </div>
  );
}

function Drawn({ run, columns, rows, chart }: { run: Run; columns: ResultColumn[]; rows: Cell[][]; chart: Chart }) {
  const scheme = useComputedColorScheme("light");
  const { ref, width, height } = useElementSize();
  const host = useRef<HTMLDivElement>(null);
  const view = useRef<View | null>(null);
  const [tip, setTip] = useState<{ x: number; y: number; lines: [string, string][] } | null>(null);
  const [fault, setFault] = useState<Error | null>(null);
  const { kind, x, y, series } = chart;
  const drawing = useMemo(() => {
    if (width === 0 || height === 0) return null;
    return draw(columns, rows, { kind, x, y, series }, lookOf(scheme), { width: Math.floor(width), height: Math.floor(height) });
  }, [columns, rows, kind, x, y, series, scheme, width, height]);

  useEffect(() => {
    if (!drawing || !host.current) return;
    let v: View | null = null;
    try {
      // The interpreter walks the expressions; compiling them would need eval, which the policy of the page forbids.
      v = new View(parse(compile(drawing.spec).spec, undefined, { ast: true }), { expr: expressionInterpreter, renderer: "canvas", container: host.current, hover: true });
      v.tooltip((_, event, __, value: unknown) => {
        if (typeof value !== "object" || value === null) return setTip(null);
        const box = host.current?.getBoundingClientRect();
        setTip({ x: event.clientX - (box?.left ?? 0), y: event.clientY - (box?.top ?? 0), lines: Object.entries(value).map(([k, t]) => [k, String(t)]) });
      });
      view.current = v;
      setFault(null);
      v.runAsync().catch((e: unknown) => setFault(e instanceof Error ? e : new Error(String(e))));
    } catch (e) {
      setFault(e instanceof Error ? e : new Error(String(e)));
    }
    return () => {
      view.current = null;
      v?.finalize();
    };
  }, [drawing]);

  const save = async (format: "png" | "svg") => {
    const v = view.current;
    if (!v) return;
    // With the background of the theme: a transparent one is unreadable elsewhere.
    const { surface } = lookOf(scheme);
    const before = v.background();
    try {
      v.background(surface);
      await v.runAsync();
      if (format === "svg") return download(new Blob([await v.toSVG()], { type: "image/svg+xml" }), `${run.id}.svg`);
      const canvas = await v.toCanvas(2);
      const blob = await new Promise<Blob | null>((done) => canvas.toBlob(done, "image/png"));
      if (blob) download(blob, `${run.id}.png`);
    } catch (e) {
      setFault(e instanceof Error ? e : new Error(String(e)));
    } finally {
      v.background(before);
      await v.runAsync();
    }
  };
  return (
    <>
      {fault && <div style={{ padding: 12 }}><ProblemNote error={fault} /></div>}
      <div className={chartClasses.frame}>
        <div ref={ref} className={chartClasses.area}>
          {/* Vega gives its own element another role; what counts is the picture around it. */}
          <div role="img" aria-label={drawing?.description ?? "Chart"} className={chartClasses.host} onMouseLeave={() => setTip(null)}>
            <div ref={host} className={chartClasses.host} />
          </div>
          {tip && (
            <div className={chartClasses.tip} style={{ left: Math.min(tip.x + 12, width - 160), top: Math.max(0, tip.y - 48) }} aria-hidden>
              {tip.lines.map(([name, text]) => (
                <div key={name}><span className="muted">{name}</span> <b className="tabular">{text}</b></div>
              ))}
            </div>
          )}
        </div>
        <div className={chartClasses.foot}>
          <span>{drawing?.note}</span>
          <span className={classes.space} />
          <Button size="compact-xs" variant="subtle" color="gray" leftSection={<IconDownload size={14} aria-hidden />} onClick={() => void save("png")}>PNG</Button>
          <Button size="compact-xs" variant="subtle" color="gray" leftSection={<IconDownload size={14} aria-hidden />} onClick={() => void save("svg")}>SVG</Button>
        </div>
      </div>
    </>
  );
}

function lookOf(scheme: "light" | "dark"): Look {
  const style = getComputedStyle(document.documentElement);
  const of = (name: string) => style.getPropertyValue(name).trim();
  return {
    text: of("--sw-text"), muted: of("--sw-muted"), line: of("--sw-line"), surface: of("--sw-surface"), font: of("--mantine-font-family"),
    accent: scheme === "dark" ? "#7985ed" : "#5f6ce4",
  };
}

function download(blob: Blob, name: string): void {
  const url = URL.createObjectURL(blob);
  const a = document.createElement("a");
  a.href = url;
  a.download = name;
  a.click();
  window.setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
