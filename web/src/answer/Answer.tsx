import { Tabs } from "@mantine/core";
import { IconChartBar, IconCode, IconDatabaseSearch, IconFileText, IconReceipt2, IconTable, type Icon } from "@tabler/icons-react";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { lazy, Suspense } from "react";

import type { Run } from "@/api/types";
import type { RunStory } from "@/api/useRunEvents";
import { LiveSteps } from "@/run/Steps";
import { runTabs, type RunTab } from "@/run/tabs";

import classes from "./Answer.module.css";
import { Badges } from "./Badges";
import { LogTab } from "./LogTab";
import { Panel, Waiting } from "./Panel";
import { ReceiptTab } from "./ReceiptTab";
import { TableTab } from "./TableTab";

const ChartTab = lazy(() => import("./ChartTab"));
const CodeTab = lazy(() => import("./CodeTab"));
const SqlTab = lazy(() => import("./SqlTab"));

const looks: Record<RunTab, { label: string; icon: Icon }> = {
  table: { label: "Table", icon: IconTable },
  chart: { label: "Chart", icon: IconChartBar },
  code: { label: "Code", icon: IconCode },
  sql: { label: "SQL", icon: IconDatabaseSearch },
  log: { label: "Log", icon: IconFileText },
  receipt: { label: "Receipt", icon: IconReceipt2 },
};

/** The answer first; the machinery is one click away. The tabs are there from the beginning, so that nothing jumps. */
export function Answer({ run, story }: { run: Run; story: RunStory }) {
  const navigate = useNavigate();
  const { tab } = useSearch({ from: "/workbench/runs/$runId" });
  // Without a choice: the rows; the code while a model writes it or somebody must approve it, and of a run that has failed or was only checked.
  const writing = !run.final && story.writing !== "" && !run.analysis;
  const shown = tab ?? (writing || run.state === "awaiting_approval" || (run.final && !run.result) ? "code" : "table");
  const choose = (value: string | null) => {
    const next = runTabs.find((t) => t === value);
    if (next) void navigate({ to: "/runs/$runId", params: { runId: run.id }, search: { tab: next }, replace: true });
  };
  return (
    <div className={classes.answer}>
      {run.understood && (
        <p className={classes.understood} dir="auto">
          <span className="muted">Understood: </span>
          {run.understood}
        </p>
      )}
      {(run.assumptions ?? []).length > 0 && (
        <ul className={classes.assumed} aria-label="Assumptions" tabIndex={0}>
          {(run.assumptions ?? []).map((a) => (
            <li key={a} dir="auto">{a}</li>
          ))}
        </ul>
      )}
      <Badges run={run} />
      <Tabs value={shown} onChange={choose} keepMounted={false} className={classes.tabs}>
        <Tabs.List className={classes.list} aria-label="Answer">
          {runTabs.map((t) => {
            const { label, icon: Glyph } = looks[t];
            return (
              <Tabs.Tab key={t} value={t} className={classes.tab} leftSection={<Glyph size={16} stroke={1.75} aria-hidden />}>
                {label}
              </Tabs.Tab>
            );
          })}
        </Tabs.List>
        <Tabs.Panel value={shown} className={classes.panel}>
          <Suspense fallback={<Waiting />}>
            <Shown tab={shown} run={run} story={story} />
          </Suspense>
        </Tabs.Panel>
      </Tabs>
    </div>
  );
}

function Shown({ tab, run, story }: { tab: RunTab; run: Run; story: RunStory }) {
  switch (tab) {
    case "table":
      return run.result ? <TableTab run={run} result={run.result} /> : <NoRows run={run} story={story} />;
    case "chart":
      return run.result ? <ChartTab run={run} result={run.result} /> : <NoRows run={run} story={story} />;
    case "code":
      return <CodeTab run={run} story={story} />;
    case "sql":
      return <SqlTab run={run} />;
    case "log":
      return <LogTab run={run} story={story} />;
    case "receipt":
      return <ReceiptTab run={run} />;
  }
}

function NoRows({ run, story }: { run: Run; story: RunStory }) {
  if (!run.final) {
    return (
      <div className={classes.live}>
        <LiveSteps story={story} />
        <p className="muted">The rows appear here when the run has ended.</p>
      </div>
    );
  }
  const why = run.state === "succeeded" ? "It ended after the check, as was asked: there are no rows." : run.state === "cancelled" ? "The run was cancelled: there are no rows." : "The run has failed: there are no rows.";
  return <Panel>{why}</Panel>;
}
