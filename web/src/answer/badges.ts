import type { Run } from "@/api/types";
import { clockUTC, plural, whole } from "@/lib/format";

export type BadgeKind = "rows" | "trust" | "doubt" | "medium" | "snapshot" | "verified" | "warning" | "unknown" | "repaired" | "unlocked" | "tokens";

export interface Badge {
  kind: BadgeKind;
  text: string;
  why: string;
  tone: "good" | "warn" | "bad" | "plain";
}

/** What can be said for an answer, and what against it. */
export function badgesOf(run: Run): Badge[] {
  const out: Badge[] = [];
  const result = run.result;
  if (result) {
    out.push({ kind: "rows", text: plural(result.row_count, "row"), why: `${plural((result.columns ?? []).length, "column")}, ${run.placement.executor === "postgres" ? "by PostgreSQL itself, with the values of" : "by"} Spark ${result.spark}`, tone: "plain" });
    const trust = confidence(run);
    if (trust) out.push(trust);
    const s = result.snapshot;
    if (s && !s.none) out.push({ kind: "snapshot", text: `one snapshot ${clockUTC(s.time)}`, why: `All tables were read in the state of one moment${s.lsn ? ` (LSN ${s.lsn})` : ""}.`, tone: "good" });
    else if (s?.none) out.push({ kind: "snapshot", text: "no common snapshot", why: s.none, tone: "warn" });
  }
  const c = run.crosscheck;
  if (c?.state === "verified") out.push({ kind: "verified", text: "totals verified", why: "PostgreSQL's own query gave the same totals.", tone: "good" });
  else if (c?.state === "mismatch") out.push({ kind: "warning", text: "totals differ", why: `PostgreSQL's own query gave ${c.expected ?? "another value"}, the answer has ${c.got ?? "this one"}.`, tone: "bad" });
  else if (c) out.push({ kind: "unknown", text: "totals not checked", why: c.why ?? "", tone: "plain" });
  if (run.receipt?.sandbox === "off") {
    out.push({ kind: "unlocked", text: "not in the sandbox", why: "The server was started with --sandbox=off: the code could read and reach all that its user can.", tone: "warn" });
  }
  if (run.repairs > 0) out.push({ kind: "repaired", text: `repaired ${run.repairs === 1 ? "once" : `${run.repairs} times`}`, why: "The first code did not work; every version is in the Code tab.", tone: "warn" });
  for (const f of run.findings ?? []) out.push({ kind: "warning", text: f.message, why: `${f.rule}${f.line ? `, line ${f.line}` : ""}`, tone: "warn" });
  const tokens = run.usage.input_tokens + run.usage.output_tokens;
  if (run.final && run.analysis && run.generator !== "user") {
    const by = run.generator === "planner" ? "the built-in planner" : (run.generator ?? "");
    out.push({ kind: "tokens", text: run.usage.cached ? "code from the cache" : `${whole(tokens)} tokens`, why: `The code is by ${by}.${run.usage.usd ? ` About $${run.usage.usd.toFixed(4)}.` : ""}`, tone: "plain" });
  }
  return out;
}

/** The label of the answer, and what it rests on. */
function confidence(run: Run): Badge | undefined {
  const second = run.crosscheck?.second;
  switch (run.confidence) {
    case "high": {
      const why = run.verified
        ? "A person has verified this answer."
        : second?.state === "agrees"
          ? `Read twice, with the same rows. The built-in planner read it as: ${second.understood}`
          : "The built-in planner has understood every word; it does not guess.";
      return { kind: "trust", text: "high confidence", why, tone: "good" };
    }
    case "low": {
      const why = second?.state === "differs"
        ? `Another reading gives other rows: ${second.understood}${second.why ? ` (${second.why})` : ""}`
        : "PostgreSQL's own totals differ from those of the answer.";
      return { kind: "doubt", text: "low confidence", why, tone: "bad" };
    }
    case "medium": {
      const by = run.generator === "user" ? "The code was written by a person" : "The question was read once, by a model";
      return { kind: "medium", text: "medium confidence", why: `${by}; nothing else has confirmed it${second?.why ? ` (${second.why})` : ""}.`, tone: "plain" };
    }
    case undefined:
      return undefined;
  }
}
