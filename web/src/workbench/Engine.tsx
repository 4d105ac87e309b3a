import { Button, Checkbox, Popover, Radio, Stack } from "@mantine/core";
import { IconChevronDown } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";

import { asProblem } from "@/api/problem";
import { metaQuery, planQuery } from "@/api/queries";
import type { Executor, NewRun } from "@/api/types";
import { expectation } from "@/lib/expectation";

import { draft, useDraft } from "./draft";
import classes from "./Engine.module.css";

const names: Record<Executor, string> = { local: "Local Spark", batch: "Local spark-submit", emr: "EMR Serverless", lambda: "Spark on Lambda" };
/** Where a run costs money while it goes on. */
export const paid = (executor: string): boolean => executor === "emrserverless" || executor === "lambda";

/** Executors as placements name them. */
const placed: Record<string, string> = {
  connect: "Local Spark", batch: "Local spark-submit", emrserverless: "EMR Serverless", lambda: "Spark on Lambda", postgres: "PostgreSQL itself",
};

export const executorName = (executor: string): string => placed[executor] ?? executor;

/** It depends on the question. A phone has room for the less of it. */
const either = (
  <>
    <span className={classes.wide}>Local </span>Spark or PostgreSQL<span className={classes.wide}> itself</span>
  </>
);

/** Where the question would run, why there, and what it may cost; and the choice of another place. */
export function Engine({ connection, tables }: { connection: string; tables: readonly string[] }) {
  const d = useDraft();
  const meta = useQuery(metaQuery);
  const asked: NewRun = {
    ...(connection ? { connection } : {}),
    ...(tables.length > 0 ? { tables: [...tables] } : {}),
    ...(d.executor ? { executor: d.executor } : {}),
    ...(d.spark ? { engine: "spark" as const } : {}),
  };
  const plan = useQuery({ ...planQuery(asked), enabled: connection !== "" || tables.length > 0 });
  const executors = meta.data?.executors ?? [];
  const label = plan.data?.direct ? either : plan.data ? executorName(plan.data.placement.executor) : d.executor ? names[d.executor] : "Where it fits";
  const choose = (value: string) => draft.set({ executor: executors.find((e) => e.name === value)?.name ?? "" });
  return (
    <Popover position="bottom-end" width={320} withinPortal trapFocus returnFocus>
      <Popover.Target>
        <Button variant="subtle" color="gray" size="compact-sm" fw={400} rightSection={<IconChevronDown size={14} aria-hidden />} title={plan.data?.placement.reason}>
          <span className="visually-hidden">Where it runs: </span>
          {label}
          <span className="muted tabular" style={{ whiteSpace: "pre" }}>{expectation(plan.data)}</span>
        </Button>
      </Popover.Target>
      <Popover.Dropdown aria-label="Where it runs">
        {plan.data && (
          <p className={classes.reason}>
            {plan.data.placement.reason}
            {(plan.data.notes ?? []).map((n) => (
              <span key={n}>{n}</span>
            ))}
          </p>
        )}
        {plan.isError && <p className={classes.reason}>{asProblem(plan.error).message}</p>}
        <Radio.Group aria-label="Where it runs" value={d.executor} onChange={choose}>
          <Stack gap={10}>
            <Radio value="" label="Where it fits best" description="by what is read and what is set up" />
            {executors.map((e) => (
              <Radio key={e.name} value={e.name} label={names[e.name]} description={e.reason} disabled={!e.available} />
            ))}
          </Stack>
        </Radio.Group>
        <Checkbox
          className={classes.review} label="Always on Spark" checked={d.spark} onChange={(e) => draft.set({ spark: e.currentTarget.checked })}
          description="else PostgreSQL itself may answer, where one cheap statement gives Spark's very values (spark.engine)"
        />
        <Checkbox className={classes.review} label="Show me the code first" description="the run waits until you approve it" checked={d.review} onChange={(e) => draft.set({ review: e.currentTarget.checked })} />
      </Popover.Dropdown>
    </Popover>
  );
}
