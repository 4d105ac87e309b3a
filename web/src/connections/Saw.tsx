import { IconAlertTriangle, IconCheck } from "@tabler/icons-react";

import type { ConnectionTest } from "@/api/desk";
import { Problem } from "@/api/problem";
import { ProblemNote } from "@/shell/ProblemNote";

import classes from "./Connections.module.css";

/** What a login saw, in sentences, and what to be warned of. */
export function Saw({ test }: { test: ConnectionTest }) {
  if (test.problem) {
    const p = test.problem;
    return <ProblemNote error={new Problem({ title: p.title, code: p.code, status: p.status, because: p.cause ?? "", remedy: p.remedy ?? "" })} />;
  }
  return (
    <ul className={classes.lines} aria-label="What the test saw">
      {(test.warnings ?? []).map((w) => (
        <li key={w} data-tone="warn">
          <IconAlertTriangle size={16} aria-hidden />
          <span><span className="visually-hidden">Warning: </span>{w}</span>
        </li>
      ))}
      {(test.saw ?? []).map((s) => (
        <li key={s} data-tone="good">
          <IconCheck size={16} aria-hidden />
          {s}
        </li>
      ))}
    </ul>
  );
}
