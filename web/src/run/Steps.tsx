import { IconChevronDown, IconCircleCheck, IconCircleX, IconListCheck, IconLoader2 } from "@tabler/icons-react";
import { useEffect, useId, useState } from "react";

import type { Progress, Run } from "@/api/types";
import type { RunStory, Step } from "@/api/useRunEvents";
import { bytes, duration, plural } from "@/lib/format";

import classes from "./Steps.module.css";

const words: Record<string, string> = {
  catalog: "Catalog", generate: "Analysis", analysis: "Analysis", check: "Check", approval: "Approval", submit: "Submit", spark: "Spark", postgres: "PostgreSQL", collect: "Collect",
  understood: "Understood", repair: "Repair", retry: "Once more", move: "Moved", waiting: "Waiting", cancel: "Cancel", placement: "Placement", read: "Reading",
};
export const stepName = (step: string): string => words[step] ?? step.charAt(0).toUpperCase() + step.slice(1);

/**
 * How far a run is, in one line that never changes its height: nothing below it jumps. It opens to all steps; while the run goes
 * on they stand where the rows will be.
 */
export function Steps({ run, story }: { run: Run; story: RunStory }) {
  const [open, setOpen] = useState(false);
  const list = useId();
  const now = useNow(!run.final);
  const known = story.steps.length > 0;
  const seconds = ((run.finished_at ? Date.parse(run.finished_at) : now) - Date.parse(run.created_at)) / 1000;
  const doing = story.steps.findLast((s) => s.state === "running");
  const busy = `${doing ? stepName(doing.name) : run.state === "queued" ? "Waiting for its turn" : run.state === "awaiting_approval" ? "Waits for approval" : "Working"}, ${duration(Math.max(0, Math.floor(seconds))).replace(".0 ", " ")}`;
  const share = !run.final && doing?.name === "spark" && story.progress ? done(story.progress) : 0;
  return (
    <section className={classes.steps} aria-label="Steps">
      <button type="button" className={classes.summary} aria-expanded={open} aria-controls={list} disabled={!known} onClick={() => setOpen(!open)}>
        {run.final ? <IconListCheck size={16} aria-hidden /> : <IconLoader2 size={16} className={classes.turn} aria-hidden />}
        <span className="tabular" style={{ flex: 1 }}>
          {run.final ? `${plural(story.steps.length, "step")}, ${duration(seconds)} in all` : busy}
        </span>
        <IconChevronDown size={16} aria-hidden style={{ visibility: known ? "visible" : "hidden" }} />
      </button>
      <div className={classes.thin} aria-hidden>
        <div style={{ width: `${share * 100}%` }} />
      </div>
      <div id={list}>{open && known && <StepList story={story} now={now} />}</div>
    </section>
  );
}

/** All steps of a run that goes on, each with its own time. */
export function LiveSteps({ story }: { story: RunStory }) {
  const now = useNow(true);
  return story.steps.length > 0 ? <StepList story={story} now={now} /> : null;
}

function StepList({ story, now }: { story: RunStory; now: number }) {
  const spark = story.steps.findLastIndex((x) => x.name === "spark");
  return (
    <ol className={classes.list}>
      {story.steps.map((s, i) => (
        <Line key={i} step={s} now={now} progress={i === spark ? story.progress : null} />
      ))}
    </ol>
  );
}

const done = (p: Progress): number => (p.tasks > 0 ? p.tasks_done / p.tasks : 0);

function Line({ step, now, progress }: { step: Step; now: number; progress: Progress | null }) {
  const running = step.state === "running";
  return (
    <li>
      {running ? (
        <IconLoader2 size={16} className={classes.turn} aria-label="goes on" />
      ) : step.state === "failed" ? (
        <IconCircleX size={16} color="var(--sw-bad)" aria-label="failed" />
      ) : (
        <IconCircleCheck size={16} color="var(--sw-good)" aria-label="done" />
      )}
      <span>{stepName(step.name)}</span>
      <span className={classes.notes} dir="auto">
        {step.notes.join(" · ")}
        {progress && <Bar progress={progress} running={running} />}
      </span>
      <span className={`${classes.time} tabular`}>{duration(((step.endedAt ?? now) - step.startedAt) / 1000)}</span>
    </li>
  );
}

function Bar({ progress: p, running }: { progress: Progress; running: boolean }) {
  const share = done(p);
  const text = `stage ${Math.min(p.stages, p.stages_done + (running ? 1 : 0))} of ${p.stages} · ${p.tasks_done} of ${plural(p.tasks, "task")}${p.bytes_read > 0 ? ` · ${bytes(p.bytes_read)} read` : ""}`;
  return (
    <span className={classes.progress}>
      {running && (
        <span className={classes.track} role="progressbar" aria-label="Spark" aria-valuemin={0} aria-valuemax={100} aria-valuenow={Math.round(share * 100)} aria-valuetext={text} style={{ display: "block" }}>
          <div style={{ width: `${share * 100}%` }} />
        </span>
      )}
      <span className="tabular">{text}</span>
    </span>
  );
}

/** The time, anew every second while it matters. */
function useNow(ticking: boolean): number {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    if (!ticking) return;
    const timer = window.setInterval(() => setNow(Date.now()), 1000);
    return () => window.clearInterval(timer);
  }, [ticking]);
  return now;
}
