import { Skeleton } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import { lazy, Suspense } from "react";

import { comparisonQuery, type Comparison } from "@/api/desk";
import { runQuery } from "@/api/queries";
import type { Cell } from "@/api/result";
import type { ResultColumn, Run } from "@/api/types";
import { kindOf, showCell } from "@/lib/cells";
import { bytes, day, duration, plural, timeOfDay, whole } from "@/lib/format";
import { State } from "@/run/State";
import { ListWaiting, Page, pageClasses } from "@/shell/Page";
import { ProblemNote, sentence } from "@/shell/ProblemNote";
import { executorName } from "@/workbench/Engine";

import classes from "./History.module.css";
import { pair } from "./pair";

const CodeDiff = lazy(() => import("./CodeDiff"));

/** Two runs beside one another: what they found, the code that found it, and what it took. */
export function ComparePage() {
  const { a, b } = useParams({ from: "/compare/$a/$b" });
  const left = useQuery(runQuery(a));
  const right = useQuery(runQuery(b));
  const rows = useQuery(comparisonQuery(a, b));
  const wrong = left.error ?? right.error;
  return (
    <Page title="Compare" lead={<><Link to="/history">History</Link> · A is the run that was marked first.</>}>
      {wrong && <ProblemNote error={wrong} />}
      {!wrong && !(left.data && right.data) && <ListWaiting rows={3} height={96} />}
      {left.data && right.data && (
        <>
          <div className={classes.two}>
            <Side letter="A" run={left.data} />
            <Side letter="B" run={right.data} />
          </div>
          {rows.isPending && <Skeleton height={160} />}
          {rows.isError && <ProblemNote error={rows.error} />}
          {rows.data && <Rows c={rows.data} />}
          <Facts a={left.data} b={right.data} />
          <Code a={left.data} b={right.data} />
        </>
      )}
    </Page>
  );
}

function Side({ letter, run: r }: { letter: string; run: Run }) {
  return (
    <section className={`${pageClasses.card} ${classes.side}`} aria-label={`Run ${letter}`}>
      <h2>
        <span className={classes.letter}>{letter}</span>
        <Link to="/runs/$runId" params={{ runId: r.id }} style={{ color: "inherit" }} dir="auto">
          {r.question.text || "Analysis code"}
        </Link>
      </h2>
      <div className={classes.facts}>
        <State state={r.state} />
        <span className="tabular">{`${sentence(day(r.created_at))}, ${timeOfDay(r.created_at)}`}</span>
        {r.result && <span className="tabular">{plural(r.result.row_count, "row")}</span>}
      </div>
    </section>
  );
}

/** What the rows have in common, and the first that differ. */
function Rows({ c }: { c: Comparison }) {
  const equal = c.onlyA === 0 && c.onlyB === 0;
  const p = pair(c.columns, c.rowsA, c.rowsB);
  const shown = c.rowsA.length + c.rowsB.length;
  const columns = [
    ...c.missingB.map((name) => `${name} is in A only`), ...c.missingA.map((name) => `${name} is in B only`),
    ...c.types.map((t) => `${t.column} is ${t.a} in A and ${t.b} in B`),
  ];
  return (
    <section className={`${pageClasses.card} ${classes.section}`} aria-label="Rows">
      <div className={classes.sectionHead}>
        <h2>
          {equal
            ? c.inOrder ? "The rows are the same, in the same order" : "The rows are the same, in another order"
            : `${plural(c.same, "row")} in both, ${whole(c.onlyA)} in A only, ${whole(c.onlyB)} in B only`}
        </h2>
        {p.by.length > 0 && p.changed.length > 0 && <p>Rows that have changed are paired by {p.by.join(", ")}.</p>}
        {columns.length > 0 && <p>Columns: {columns.join("; ")}. Rows are compared by those that both have.</p>}
        {!equal && shown < c.onlyA + c.onlyB && <p>The first {whole(shown)} rows that differ are shown.</p>}
      </div>
      {!equal && (
        <div className={classes.scroll} tabIndex={0} role="region" aria-label="Rows that differ">
          <table className={classes.table}>
            <thead>
              <tr>
                <th className={classes.sign}>Where</th>
                {c.columns.map((col) => (
                  <th key={col.name} data-number={kindOf(col.type) === "number" || undefined}>{col.name}</th>
                ))}
              </tr>
            </thead>
            <tbody>
              {p.changed.map((row, i) => (
                <tr key={`c${i}`}>
                  <td className={classes.sign}>changed</td>
                  {c.columns.map((col, k) => (
                    <td key={col.name} data-number={kindOf(col.type) === "number" || undefined}>
                      {row.cells.includes(k) ? (
                        <>
                          <del><span className="visually-hidden">A: </span>{show(row.a[k], col)}</del>
                          <ins><span className="visually-hidden">B: </span>{show(row.b[k], col)}</ins>
                        </>
                      ) : (
                        show(row.a[k], col)
                      )}
                    </td>
                  ))}
                </tr>
              ))}
              <Plain rows={p.onlyA} where="A only" columns={c.columns} />
              <Plain rows={p.onlyB} where="B only" columns={c.columns} />
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}

const show = (cell: Cell | undefined, col: ResultColumn) => showCell(cell ?? null, col.type, col.name);

function Plain({ rows, where, columns }: { rows: Cell[][]; where: string; columns: ResultColumn[] }) {
  return rows.map((row, i) => (
    <tr key={i}>
      <td className={classes.sign}>{where}</td>
      {columns.map((col, k) => (
        <td key={col.name} data-number={kindOf(col.type) === "number" || undefined}>{show(row[k], col)}</td>
      ))}
    </tr>
  ));
}

/** What each of the two has taken. Values that differ stand out. */
function Facts({ a, b }: { a: Run; b: Run }) {
  const lines: [string, string, string][] = [
    ["Understood", a.understood ?? "", b.understood ?? ""],
    ["Where", executorName(a.placement.executor), executorName(b.placement.executor)],
    ["By", a.generator ?? "", b.generator ?? ""],
    ["Time", took(a), took(b)],
    ["Read", read(a), read(b)],
    ["Statements of PostgreSQL", count(a), count(b)],
    ["Snapshot", a.result?.snapshot?.time ?? "", b.result?.snapshot?.time ?? ""],
    ["Cross-check", (a.crosscheck?.state ?? "").replace("_", " "), (b.crosscheck?.state ?? "").replace("_", " ")],
    ["Confidence", a.confidence ?? "", b.confidence ?? ""],
    ["Tokens", tokens(a), tokens(b)],
    ["Repairs", String(a.repairs), String(b.repairs)],
  ];
  return (
    <section className={`${pageClasses.card} ${classes.section}`} aria-label="Receipts">
      <div className={classes.sectionHead}><h2>What they took</h2></div>
      <table className={classes.facts2}>
        <thead className="visually-hidden">
          <tr><th>Fact</th><th>A</th><th>B</th></tr>
        </thead>
        <tbody>
          {lines.filter(([, x, y]) => x !== "" || y !== "").map(([name, x, y]) => (
            <tr key={name}>
              <th scope="row">{name}</th>
              <td data-differs={x !== y || undefined}>{x || "not known"}</td>
              <td data-differs={x !== y || undefined}>{y || "not known"}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

const took = (r: Run): string => (r.finished_at ? duration((Date.parse(r.finished_at) - Date.parse(r.created_at)) / 1000) : "");
const count = (r: Run): string => (r.receipt?.statements ? String(r.receipt.statements.length) : "");
const tokens = (r: Run): string => whole(r.usage.input_tokens + r.usage.output_tokens);

function read(r: Run): string {
  const tables = (r.receipt?.tables ?? []).filter((t) => t.actual_rows >= 0);
  if (tables.length === 0) return "";
  const sum = (of: (t: (typeof tables)[number]) => number) => tables.reduce((n, t) => n + Math.max(0, of(t)), 0);
  return `${plural(sum((t) => t.actual_rows), "row")}, ${bytes(sum((t) => t.actual_bytes))}`;
}

function Code({ a, b }: { a: Run; b: Run }) {
  const before = a.analysis ?? "";
  const after = b.analysis ?? "";
  return (
    <section className={`${pageClasses.card} ${classes.section}`} aria-label="Code">
      <div className={classes.sectionHead}>
        <h2>{before === after ? "The code is the same" : "The code: from A to B"}</h2>
      </div>
      <div className={classes.code}>
        <Suspense fallback={<Skeleton height="100%" />}>
          <CodeDiff before={before} after={after} />
        </Suspense>
      </div>
    </section>
  );
}
