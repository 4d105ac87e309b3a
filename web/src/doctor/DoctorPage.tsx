import { ActionIcon, Button, CopyButton, Tooltip } from "@mantine/core";
import { IconAlertTriangle, IconCheck, IconCircleCheck, IconCircleX, IconCopy, IconMinus, IconStethoscope, type Icon } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";

import { doctorQuery, type DoctorFinding } from "@/api/desk";
import { duration, plural } from "@/lib/format";
import { ListWaiting, Page, pageClasses } from "@/shell/Page";
import { ProblemNote, sentence } from "@/shell/ProblemNote";

import classes from "./Doctor.module.css";
import { groups, verdict } from "./report";

const looks: Record<DoctorFinding["level"], { icon: Icon; word: string }> = {
  ok: { icon: IconCircleCheck, word: "fine" },
  warn: { icon: IconAlertTriangle, word: "warning" },
  fail: { icon: IconCircleX, word: "fails" },
  skipped: { icon: IconMinus, word: "not looked at" },
};

/** Looks now for what would make a run fail, and says how to mend it. Nothing is changed. */
export function DoctorPage() {
  const [full, setFull] = useState(false);
  const [skipped, setSkipped] = useState(false);
  const report = useQuery(doctorQuery(full));
  const findings = report.data?.findings ?? [];
  const hidden = findings.filter((f) => f.level === "skipped").length;
  return (
    <Page
      title="Doctor"
      lead="Looks for what would make a run fail, and says how to mend it. It changes nothing."
      actions={
        <>
          <Button variant="default" loading={report.isFetching && !full} onClick={() => (full ? setFull(false) : void report.refetch())}>
            Quick look
          </Button>
          <Button leftSection={<IconStethoscope size={16} aria-hidden />} loading={report.isFetching && full} onClick={() => (full ? void report.refetch() : setFull(true))}>
            Look at everything
          </Button>
        </>
      }
    >
      <div role="status" className={classes.verdict} data-level={report.data?.level}>
        {report.isFetching ? (full ? "Looking at everything; logins and AWS take some seconds…" : "Looking…") : report.data ? `${verdict(report.data)} Looked for ${duration(report.data.seconds)}.` : ""}
      </div>
      {report.isPending && <ListWaiting rows={4} height={64} />}
      {report.isError && <ProblemNote error={report.error} onRetry={() => void report.refetch()} />}
      {report.data && groups(findings, skipped).map(([name, list]) => (
        <section key={name} className={classes.group} aria-label={sentence(name)}>
          <h2>{sentence(name)}</h2>
          <ul className={pageClasses.card}>
            {list.map((f, i) => (
              <Finding key={`${f.id} ${f.about ?? ""} ${i}`} finding={f} />
            ))}
          </ul>
        </section>
      ))}
      {hidden > 0 && (
        <Button variant="subtle" color="gray" onClick={() => setSkipped((s) => !s)} aria-expanded={skipped}>
          {skipped ? "Hide what was not looked at" : `${plural(hidden, "check")} had nothing to look at`}
        </Button>
      )}
    </Page>
  );
}

function Finding({ finding: f }: { finding: DoctorFinding }) {
  const look = looks[f.level];
  return (
    <li className={classes.finding} data-level={f.level}>
      <look.icon size={18} stroke={1.9} aria-hidden />
      <div className={classes.what}>
        <h3>
          {sentence(f.title)}
          {f.about && <span className="muted" dir="auto"> · {f.about}</span>}
          <span className={classes.word}>{look.word}</span>
        </h3>
        <p>{sentence(f.message)}</p>
        {f.because && <p className="muted">{sentence(f.because)}</p>}
        {(f.fixes ?? []).map((fix) => (
          <div key={fix.kind + fix.text} className={classes.fix}>
            <span className={classes.kind}>{fix.kind}</span>
            <pre className="mono" tabIndex={0} aria-label={`Fix: ${fix.kind}`}>{fix.text}</pre>
            <CopyButton value={fix.text} timeout={1500}>
              {({ copied, copy }) => (
                <Tooltip label={copied ? "Copied" : "Copy"}>
                  <ActionIcon size="sm" onClick={copy} aria-label={copied ? "Copied" : `Copy the fix of ${f.title}`}>
                    {copied ? <IconCheck size={15} /> : <IconCopy size={15} />}
                  </ActionIcon>
                </Tooltip>
              )}
            </CopyButton>
          </div>
        ))}
        {f.fixable && f.level !== "ok" && <p className="muted">On the machine, <code className="mono">sparkwright doctor --fix</code> mends it.</p>}
      </div>
    </li>
  );
}
