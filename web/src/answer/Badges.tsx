import { Tooltip } from "@mantine/core";
import { IconAlertTriangle, IconCamera, IconCircleCheck, IconCoins, IconHelpCircle, IconTool, IconTable, type Icon } from "@tabler/icons-react";

import type { Run } from "@/api/types";
import { clockUTC, plural, whole } from "@/lib/format";

import classes from "./Answer.module.css";

interface Badge {
  icon: Icon;
  text: string;
  why: string;
  tone: "good" | "warn" | "bad" | "plain";
}

/** What can be said for an answer, and what against it. */
export function badgesOf(run: Run): Badge[] {
  const out: Badge[] = [];
  const result = run.result;
  if (result) {
    out.push({ icon: IconTable, text: plural(result.row_count, "row"), why: `${plural((result.columns ?? []).length, "column")}, by Spark ${result.spark}`, tone: "plain" });
    const s = result.snapshot;
    if (s && !s.none) out.push({ icon: IconCamera, text: `one snapshot ${clockUTC(s.time)}`, why: `All tables were read in the state of one moment${s.lsn ? ` (LSN ${s.lsn})` : ""}.`, tone: "good" });
    else if (s?.none) out.push({ icon: IconCamera, text: "no common snapshot", why: s.none, tone: "warn" });
  }
  const c = run.crosscheck;
  if (c?.state === "verified") out.push({ icon: IconCircleCheck, text: "totals verified", why: "PostgreSQL's own query gave the same totals.", tone: "good" });
  else if (c?.state === "mismatch") out.push({ icon: IconAlertTriangle, text: "totals differ", why: `PostgreSQL's own query gave ${c.expected ?? "another value"}, the answer has ${c.got ?? "this one"}.`, tone: "bad" });
  else if (c) out.push({ icon: IconHelpCircle, text: "totals not checked", why: c.why ?? "", tone: "plain" });
  if (run.repairs > 0) out.push({ icon: IconTool, text: `repaired ${run.repairs === 1 ? "once" : `${run.repairs} times`}`, why: "The first code did not work; every version is in the Code tab.", tone: "warn" });
  for (const f of run.findings ?? []) out.push({ icon: IconAlertTriangle, text: f.message, why: `${f.rule}${f.line ? `, line ${f.line}` : ""}`, tone: "warn" });
  const tokens = run.usage.input_tokens + run.usage.output_tokens;
  if (run.final && run.analysis && run.generator !== "user") {
    const by = run.generator === "planner" ? "the built-in planner" : run.generator;
    out.push({ icon: IconCoins, text: run.usage.cached ? "code from the cache" : `${whole(tokens)} tokens`, why: `The code is by ${by}.${run.usage.usd ? ` About $${run.usage.usd.toFixed(4)}.` : ""}`, tone: "plain" });
  }
  return out;
}

export function Badges({ run }: { run: Run }) {
  const badges = badgesOf(run);
  // The place is kept while the run goes on.
  if (badges.length === 0) return run.final ? null : <div className={classes.badges} />;
  return (
    <div className={classes.badges} role="list" aria-label="What is known of the answer">
      {badges.map((b) => (
        <Tooltip key={b.text} label={b.why} multiline maw={320} disabled={b.why === ""}>
          <span role="listitem" className={`${classes.badge} tabular`} data-tone={b.tone} tabIndex={b.why === "" ? undefined : 0}>
            <b.icon size={14} stroke={2} aria-hidden />
            {b.text}
          </span>
        </Tooltip>
      ))}
    </div>
  );
}
