import { Switch } from "@mantine/core";
import { useMemo, useState } from "react";

import type { Run } from "@/api/types";
import { bytes, duration, plural } from "@/lib/format";
import { lookUp } from "@/lib/sql";

import classes from "./Answer.module.css";
import { Editor } from "./Editor";
import { Panel } from "./Panel";

/** The statements that PostgreSQL ran for the run, as the broker noted them; those that only ask about types are hidden at first. */
export default function SqlTab({ run }: { run: Run }) {
  const [all, setAll] = useState(false);
  const statements = useMemo(() => run.receipt?.statements ?? [], [run.receipt]);
  const reads = useMemo(() => statements.filter((s) => !lookUp(s.sql)), [statements]);
  const hidden = statements.length - reads.length;
  const shown = all || reads.length === 0 ? statements : reads;
  const check = run.crosscheck?.sql;
  const text = useMemo(() => {
    const ended = (sql: string) => sql.trim().replace(/;?$/, ";");
    const parts = shown.map((s) => {
      const what = [s.connection, plural(s.rows, "row"), bytes(s.bytes), duration(s.seconds)].join(" · ");
      return `-- ${what}${s.error ? `\n-- failed: ${s.error.replaceAll("\n", " ")}` : ""}\n${ended(s.sql)}\n`;
    });
    if (check) parts.push(`-- the cross-check of the totals\n${ended(check)}\n`);
    return parts.join("\n");
  }, [shown, check]);
  if (text === "") {
    return <Panel>{run.final ? "PostgreSQL ran no statement for it, or the place it ran at does not tell." : "The statements appear when the run has ended."}</Panel>;
  }
  return (
    <>
      <div className={classes.toolbar}>
        <span className="tabular">{plural(shown.length, "statement")}, none of which can write</span>
        <span className={classes.space} />
        {hidden > 0 && reads.length > 0 && <Switch size="xs" label={`Also ${plural(hidden, "look-up")} of types and columns`} checked={all} onChange={(e) => setAll(e.currentTarget.checked)} />}
      </div>
      <Editor doc={text} language="sql" label="SQL that PostgreSQL ran" />
    </>
  );
}
