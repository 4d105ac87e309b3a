import { Badge, Group, Modal, Skeleton, Stack, Table, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";

import { tableQuery } from "@/api/queries";
import type { Column, TableDetail, TableHead } from "@/api/types";
import { bytes, count, whole } from "@/lib/format";
import { ProblemNote } from "@/shell/ProblemNote";

import { keyOf, partsOf } from "./tree";

/** What the catalog and PostgreSQL's statistics tell of one table. Never rows. */
export function TableProfile({ table, onClose }: { table: TableHead | null; onClose: () => void }) {
  const at = table ? partsOf(table) : { connection: "", schema: "", table: "" };
  const detail = useQuery({ ...tableQuery(at.connection, at.schema, at.table), enabled: table !== null });
  return (
    <Modal opened={table !== null} onClose={onClose} title={table?.qualified ?? ""} size="xl" closeButtonProps={{ "aria-label": "Close" }}>
      {detail.isPending && table !== null && <Skeleton height={160} />}
      {detail.isError && <ProblemNote error={detail.error} onRetry={() => void detail.refetch()} />}
      {detail.data && <Profile table={detail.data} />}
    </Modal>
  );
}

function Profile({ table }: { table: TableDetail }) {
  const columns = table.columns ?? [];
  return (
    <Stack gap="sm">
      {table.comment && <Text>{table.comment}</Text>}
      <Group gap="xs">
        <Badge variant="default" tt="none">{table.kind}</Badge>
        <Badge variant="default" tt="none">{table.row_estimate < 0 ? "never analysed: rows not known" : `about ${count(table.row_estimate)} rows`}</Badge>
        <Badge variant="default" tt="none">{bytes(table.bytes)}</Badge>
        {!table.readable && <Badge color="red" variant="light" tt="none">this login cannot read it</Badge>}
      </Group>
      <Table.ScrollContainer minWidth={560} maxHeight="60vh">
        <Table stickyHeader verticalSpacing={4} fz="sm" aria-label="Columns">
          <Table.Thead>
            <Table.Tr>
              <Table.Th>Column</Table.Th>
              <Table.Th>Type</Table.Th>
              <Table.Th>Key</Table.Th>
              <Table.Th ta="right">Empty</Table.Th>
              <Table.Th ta="right">Different</Table.Th>
              <Table.Th>Often</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {columns.map((c) => (
              <Row key={c.name} column={c} table={table} />
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
      <Text size="xs" c="dimmed">
        From PostgreSQL's own statistics (pg_stats), as of its last ANALYZE. No rows are read for this.
      </Text>
    </Stack>
  );
}

function Row({ column: c, table }: { column: Column; table: TableDetail }) {
  const { key, refers } = keyOf(table, c.name);
  const s = c.stats;
  const keys = [key === "primary" ? "primary key" : key === "unique" ? "unique" : "", refers ? `→ ${refers}` : ""].filter(Boolean).join(", ");
  return (
    <Table.Tr>
      <Table.Td>
        <span dir="auto">{c.name}</span>
        {c.comment && <Text size="xs" c="dimmed">{c.comment}</Text>}
      </Table.Td>
      <Table.Td className="muted">{c.type}{c.nullable ? "" : ", never empty"}</Table.Td>
      <Table.Td>{keys}</Table.Td>
      <Table.Td ta="right" className="tabular">{s ? share(s.null_fraction) : ""}</Table.Td>
      <Table.Td ta="right" className="tabular">{s ? distinct(s.distinct, table.row_estimate) : ""}</Table.Td>
      <Table.Td maw={220} className="cut">{(s?.most_common ?? []).slice(0, 3).map((v) => v.value).join(", ")}</Table.Td>
    </Table.Tr>
  );
}

function share(fraction: number): string {
  if (fraction === 0) return "none";
  return fraction < 0.001 ? "< 0.1 %" : `${(fraction * 100).toFixed(fraction < 0.1 ? 1 : 0)} %`;
}

/** pg_stats writes a share of the rows as a negative number. */
function distinct(n: number, rows: number): string {
  if (n === 0) return "";
  if (n === -1) return "all";
  return n < 0 ? `about ${count(Math.round(-n * Math.max(0, rows)))}` : whole(Math.round(n));
}
