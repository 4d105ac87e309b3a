import { ActionIcon, CopyButton, Tooltip } from "@mantine/core";
import { IconAlertTriangle, IconCheck, IconCopy } from "@tabler/icons-react";

import type { Fault } from "@/api/types";
import { headline } from "@/lib/headline";
import { sentence } from "@/shell/ProblemNote";

import classes from "./FaultNote.module.css";

/** A failure: what, why, what to do, and what shows it, in this order. */
export function FaultNote({ fault: f, runId }: { fault: Fault; runId: string }) {
  const evidence = f.diagnosis?.evidence ?? [];
  return (
    <section className={classes.note} aria-label="Why it failed">
      <div className={classes.title}>
        <IconAlertTriangle size={18} aria-hidden />
        <span>
          {sentence(headline(f.message))}
          {f.line ? <span style={{ fontWeight: 400 }}> (line {f.line} of the code)</span> : null}
        </span>
      </div>
      <dl className={classes.rows}>
        {f.because && (
          <>
            <dt>Because</dt>
            <dd>{f.because}</dd>
          </>
        )}
        {f.remedy && (
          <>
            <dt>What to do</dt>
            <dd className={classes.do}>
              <span style={{ flex: "0 1 auto" }}>{f.remedy}</span>
              <CopyButton value={f.remedy} timeout={1500}>
                {({ copied, copy }) => (
                  <Tooltip label={copied ? "Copied" : "Copy"}>
                    <ActionIcon size="sm" onClick={copy} aria-label={copied ? "Copied" : "Copy what to do"}>
                      {copied ? <IconCheck size={15} /> : <IconCopy size={15} />}
                    </ActionIcon>
                  </Tooltip>
                )}
              </CopyButton>
            </dd>
          </>
        )}
        {evidence.length > 0 && (
          <>
            <dt>Shown by</dt>
            <dd>
              <pre className={`${classes.evidence} mono`} tabIndex={0} aria-label="Lines of the log">{evidence.join("\n")}</pre>
            </dd>
          </>
        )}
        <dt>Kind</dt>
        <dd className="muted">
          {f.class}
          {f.sql_state ? ` · SQLSTATE ${f.sql_state}` : ""} · run {runId}
        </dd>
      </dl>
    </section>
  );
}
