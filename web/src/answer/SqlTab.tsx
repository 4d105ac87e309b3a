import { useMemo } from "react";

import type { Run } from "@/api/types";
import { bytes, duration, plural } from "@/lib/format";

import classes from "./Answer.module.css";
import { Editor } from "./Editor";
import { Panel } from "./Panel";

/** The statements that PostgreSQL ran for the run, as the broker noted them. */
export default function SqlTab({ run }: { run: Run }) {
  const statements = useMemo(() => run.receipt?.statements ?? [], [run.receipt]);
  const text = useMemo(
    () =>
      statements
        .map((s) => {
          const what = [s.connection, plural(s.rows, "row"), bytes(s.bytes), duration(s.seconds)].join(" · ");
          return `-- ${what}${s.error ? `\n-- failed: ${s.error.replaceAll("\n", " ")}` : ""}\n${s.sql.trim().replace(/;?$/, ";")}\n`;
        })
        .join("\n"),
    [statements],
  );
  const check = run.crosscheck?.sql;
  const whole = check ? `${text}\n-- the cross-check of the totals\n${check.trim().replace(/;?$/, ";")}\n` : text;
  if (whole.trim() === "") {
    return <Panel>{run.final ? "PostgreSQL ran no statement for it, or the place it ran at does not tell." : "The statements appear when the run has ended."}</Panel>;
  }
  return (
    <>
      <div className={classes.toolbar}>
        <span className="tabular">{plural(statements.length, "statement")}, all of them reads</span>
      </div>
      <Editor doc={whole} language="sql" label="SQL that PostgreSQL ran" />
    </>
  );
}
