import { Button, Menu, Text, Tooltip } from "@mantine/core";
import { IconCheck, IconChevronDown } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";

import { metaQuery, planQuery } from "@/api/queries";
import type { Executor, NewRun, Plan } from "@/api/types";
import { bytes, duration } from "@/lib/format";

import { draft, useDraft } from "./draft";

const names: Record<Executor, string> = { local: "Local Spark", batch: "Local spark-submit", emr: "EMR Serverless", lambda: "Spark on Lambda" };
/** Executors as placements name them. */
const placed: Record<string, string> = {
  connect: "Local Spark", batch: "Local spark-submit", emrserverless: "EMR Serverless", lambda: "Spark on Lambda", postgres: "PostgreSQL itself",
};

export const executorName = (executor: string): string => placed[executor] ?? executor;

/** Where the question would run, why there, and what it may cost; and the choice of another place. */
export function Engine() {
  const d = useDraft();
  const meta = useQuery(metaQuery);
  const asked: NewRun = {
    ...(d.connection ? { connection: d.connection } : {}),
    ...(d.tables.length > 0 ? { tables: d.tables } : {}),
    ...(d.executor ? { executor: d.executor } : {}),
  };
  const plan = useQuery({ ...planQuery(asked), enabled: d.connection !== "" || d.tables.length > 0 });
  const executors = meta.data?.executors ?? [];
  const label = plan.data ? executorName(plan.data.placement.executor) : d.executor ? names[d.executor] : "Where it fits";
  return (
    <Menu position="bottom-end" width={320} withinPortal>
      <Menu.Target>
        <Tooltip label={plan.data?.placement.reason ?? "Where it runs"} multiline maw={320} disabled={!plan.data}>
          <Button variant="subtle" color="gray" size="compact-sm" fw={400} rightSection={<IconChevronDown size={14} aria-hidden />} aria-label={`Where it runs: ${label}${expectation(plan.data)}`}>
            {label}
            <span className="muted tabular" style={{ whiteSpace: "pre" }}>{expectation(plan.data)}</span>
          </Button>
        </Tooltip>
      </Menu.Target>
      <Menu.Dropdown>
        {plan.data && (
          <>
            <Text size="xs" px={12} py={8} c="dimmed">
              {plan.data.placement.reason}
              {(plan.data.notes ?? []).map((n) => (
                <span key={n} style={{ display: "block" }}>{n}</span>
              ))}
            </Text>
            <Menu.Divider />
          </>
        )}
        <Item name="Where it fits best" why="decided by what is read and what is set up" chosen={d.executor === ""} onClick={() => draft.set({ executor: "" })} />
        {executors.map((e) => (
          <Item key={e.name} name={names[e.name]} why={e.reason} chosen={d.executor === e.name} disabled={!e.available} onClick={() => draft.set({ executor: e.name })} />
        ))}
        <Menu.Divider />
        <Item name="Show me the code first" why="the run waits until you approve it" chosen={d.review} onClick={() => draft.set({ review: !d.review })} />
      </Menu.Dropdown>
    </Menu>
  );
}

function Item({ name, why, chosen, disabled, onClick }: { name: string; why: string; chosen: boolean; disabled?: boolean; onClick: () => void }) {
  return (
    <Menu.Item role="menuitemcheckbox" aria-checked={chosen} disabled={disabled} onClick={onClick}
      leftSection={<IconCheck size={16} aria-hidden style={{ visibility: chosen ? "visible" : "hidden" }} />}>
      <Text size="sm">{name}</Text>
      <Text size="xs" c="dimmed">{why}</Text>
    </Menu.Item>
  );
}

/** " · about 177 MB · 1 s", as far as it is known. */
function expectation(plan: Plan | undefined): string {
  if (!plan) return "";
  const usd = plan.expected.usd ? ` · $${plan.expected.usd.toFixed(2)}` : "";
  const seconds = plan.expected.seconds > 0 ? ` · ~${duration(plan.expected.seconds)}` : "";
  return (plan.bytes > 0 ? ` · up to ${bytes(plan.bytes)}` : "") + seconds + usd;
}
