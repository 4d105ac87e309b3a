import { Table, Title } from "@mantine/core";
import type { ReactNode } from "react";

import type { Run } from "@/api/types";
import { bytes, clockUTC, count, duration, plural, whole } from "@/lib/format";
import { stepName } from "@/run/Steps";
import { executorName } from "@/workbench/Engine";

import classes from "./Answer.module.css";
import { Panel } from "./Panel";
import receipt from "./ReceiptTab.module.css";

/** What was expected to be read and to cost, and what was. */
export function ReceiptTab({ run }: { run: Run }) {
  const r = run.receipt;
  const timings = run.timings ?? [];
  if (!r && timings.length === 0) {
    return <Panel>{run.final ? "There is no receipt: nothing was read." : "The receipt appears when the run has ended."}</Panel>;
  }
  const known = (n: number, show: (n: number) => string) => (n < 0 ? "not known" : show(n));
  const snapshot = run.result?.snapshot;
  const c = run.crosscheck;
  const second = c?.second;
  return (
    <div className={`${classes.scroll} ${receipt.page}`} tabIndex={0} role="region" aria-label="Receipt">
      {r && (r.tables ?? []).length > 0 && (
        <section>
          <Title order={2} size="h3">Read</Title>
          <Table.ScrollContainer minWidth={520}>
            <Table verticalSpacing={4} className="tabular" aria-label="What was read">
              <Table.Thead>
                <Table.Tr>
                  <Table.Th>Table</Table.Th>
                  <Table.Th ta="right">Reads at once</Table.Th>
                  <Table.Th ta="right">Rows expected</Table.Th>
                  <Table.Th ta="right">Rows read</Table.Th>
                  <Table.Th ta="right">Expected</Table.Th>
                  <Table.Th ta="right">Read</Table.Th>
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {(r.tables ?? []).map((t) => (
                  <Table.Tr key={t.table}>
                    <Table.Td dir="auto">{t.table}</Table.Td>
                    <Table.Td ta="right">{Math.max(1, t.partitions)}</Table.Td>
                    <Table.Td ta="right">{t.estimated_rows < 0 ? "not known" : count(t.estimated_rows)}</Table.Td>
                    <Table.Td ta="right">{known(t.actual_rows, whole)}</Table.Td>
                    <Table.Td ta="right">{bytes(t.estimated_bytes)}</Table.Td>
                    <Table.Td ta="right">{known(t.actual_bytes, bytes)}</Table.Td>
                  </Table.Tr>
                ))}
              </Table.Tbody>
            </Table>
          </Table.ScrollContainer>
        </section>
      )}
      <div className={receipt.columns}>
        <Facts
          title="Where"
          facts={[
            ["Place", run.placement.executor && executorName(run.placement.executor)],
            ["Why there", run.placement.reason],
            ["Spark", run.result?.spark],
            ["Result", run.result && `${plural(run.result.row_count, "row")}, ${bytes(run.result.bytes)} of Parquet`],
          ]}
        />
        <Facts title="Time" facts={[...timings.map((t): [string, string] => [stepName(t.step), duration(t.seconds)]), ["Expected", r && r.expected.seconds > 0 && duration(r.expected.seconds)], ["It took", r && r.actual.seconds > 0 && duration(r.actual.seconds)]]} />
        <Facts
          title="Trust"
          facts={[
            ["Confidence", run.confidence],
            ["Second reading", second && { agrees: "the built-in planner's gives the same rows", differs: "the built-in planner's gives other rows", not_compared: "not compared" }[second.state]],
            ["Read as", second?.understood],
            ["Which is because", second?.why],
            ["Sandbox", r?.sandbox && (r.sandbox === "off" ? "off: the code could reach all that the server's user can" : r.sandbox)],
            ["Snapshot", snapshot ? snapshot.none || clockUTC(snapshot.time) : undefined],
            ["LSN", snapshot?.lsn],
            ["Totals", c && { verified: "verified by PostgreSQL's own query", mismatch: "differ from PostgreSQL's own query", not_checked: "not checked" }[c.state]],
            ["Totals, because", c?.why],
            ["Expected", c?.expected],
            ["Got", c?.got],
          ]}
        />
        <Facts
          title="Cost"
          facts={[
            ["Tokens", `${whole(run.usage.input_tokens)} in, ${whole(run.usage.output_tokens)} out, ${plural(run.usage.calls, "call")}`],
            ["Model", run.usage.usd ? `about $${run.usage.usd.toFixed(4)}` : undefined],
            ["vCPU hours", r?.actual.vcpu_hours?.toFixed(3)],
            ["Memory", r?.actual.memory_gb_hours && `${r.actual.memory_gb_hours.toFixed(3)} GB hours`],
            ["Money", r?.actual.usd ? `about $${r.actual.usd.toFixed(4)}` : undefined],
            ["Attempts", (run.attempts ?? []).length > 0 && String((run.attempts ?? []).length)],
          ]}
        />
      </div>
    </div>
  );
}

function Facts({ title, facts }: { title: string; facts: [string, ReactNode][] }) {
  const known = facts.filter(([, value]) => value !== undefined && value !== "" && value !== false && value !== 0);
  if (known.length === 0) return null;
  return (
    <section>
      <Title order={2} size="h3">{title}</Title>
      <dl className={`${receipt.facts} tabular`}>
        {known.map(([name, value], i) => (
          <div key={name + String(i)}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}
