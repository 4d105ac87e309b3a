import { Badge, Group, Modal, Skeleton, Stack, Table, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";

import { profileQuery, tableQuery } from "@/api/queries";
import type { TableDetail, TableHead, TableProfile as Profile } from "@/api/types";
import { bytes, count, whole } from "@/lib/format";
import { ProblemNote } from "@/shell/ProblemNote";

import { keyOf, partsOf } from "./tree";

/** What the catalog and PostgreSQL's statistics tell of one table. Never rows. */
export function TableProfile({ table, onClose }: { table: TableHead | null; onClose: () => void }) {
  const at = table ? partsOf(table) : { connection: "", schema: "", table: "" };
  const detail = useQuery({ ...tableQuery(at.connection, at.schema, at.table), enabled: table !== null });
  const profile = useQuery({ ...profileQuery(at.connection, at.schema, at.table), enabled: table !== null });
  return (
    <Modal opened={table !== null} onClose={onClose} title={table?.qualified ?? ""} size="xl" closeButtonProps={{ "aria-label": "Close" }}>
      {detail.isPending && table !== null && <Skeleton height={160} />}
      {detail.isError && <ProblemNote error={detail.error} onRetry={() => void detail.refetch()} />}
      {detail.data && <Shown table={detail.data} profile={profile.data} />}
    </Modal>
  );
}

function Shown({ table, profile }: { table: TableDetail; profile: Profile | undefined }) {
  return (
    <Stack gap="sm">
      {table.comment && <Text>{table.comment}</Text>}
      <Group gap="xs">
        <Badge variant="default" tt="none">{table.kind}</Badge>
        <Badge variant="default" tt="none">{table.row_estimate < 0 ? "never analysed: rows not known" : `about ${count(table.row_estimate)} rows`}</Badge>
        <Badge variant="default" tt="none">{bytes(table.bytes)}</Badge>
        {!table.readable && <Badge color="red" variant="light" tt="none">this login cannot read it</Badge>}
      </Group>
      <Table.ScrollContainer minWidth={620} maxHeight="60vh">
        <Table stickyHeader verticalSpacing={4} fz="sm" aria-label="Columns">
          <Table.Thead>
            <Table.Tr>
              <Table.Th>Column</Table.Th>
              <Table.Th>Type</Table.Th>
              <Table.Th>Key</Table.Th>
              <Table.Th ta="right">NULL</Table.Th>
              <Table.Th ta="right">Different</Table.Th>
              <Table.Th>Values</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {(table.columns ?? []).map((c) => {
              const { key, refers } = keyOf(table, c.name);
              const keys = [key === "primary" ? "primary key" : key === "unique" ? "unique" : "", refers ? `→ ${refers}` : ""].filter(Boolean).join(", ");
              const p = profile?.columns?.find((x) => x.name === c.name);
              return (
                <Table.Tr key={c.name}>
                  <Table.Td>
                    <span dir="auto">{c.name}</span>
                    {c.comment && <Text size="xs" c="dimmed">{c.comment}</Text>}
                  </Table.Td>
                  <Table.Td className="muted">{c.type}</Table.Td>
                  <Table.Td>{keys}</Table.Td>
                  <Table.Td ta="right" className="tabular">{!c.nullable ? "never" : p ? share(p.null_share ?? 0) : ""}</Table.Td>
                  <Table.Td ta="right" className="tabular">{!p ? "" : p.unique ? "all" : p.distinct ? whole(Math.round(p.distinct)) : ""}</Table.Td>
                  <Table.Td maw={240} className="cut" title={p && values(p)}>{p && values(p)}</Table.Td>
                </Table.Tr>
              );
            })}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
      <Text size="xs" c="dimmed">
        {profile && !profile.analysed
          ? "The table was never analysed: run ANALYZE, and its statistics appear here."
          : "From PostgreSQL's own statistics (pg_stats), as of its last ANALYZE. No rows are read for this."}
        {profile && !profile.values && " Values are not shown: postgres.show_values is off."}
      </Text>
    </Stack>
  );
}

/** The most common values, else the range. */
function values(p: NonNullable<Profile["columns"]>[number]): string {
  const common = (p.common ?? []).slice(0, 4).map((v) => `${v.value} ${share(v.fraction)}`);
  if (common.length > 0) return common.join(", ");
  return p.low || p.high ? `${p.low ?? ""} … ${p.high ?? ""}` : "";
}

function share(fraction: number): string {
  if (fraction === 0) return "none";
  return fraction < 0.001 ? "< 0.1 %" : `${(fraction * 100).toFixed(fraction < 0.1 ? 1 : 0)} %`;
}
