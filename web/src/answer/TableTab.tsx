import { Button, CloseButton, Menu } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { IconChevronLeft, IconChevronRight, IconCopy, IconDownload } from "@tabler/icons-react";
import { useQueryClient } from "@tanstack/react-query";
import { useMemo, useState } from "react";

import { asProblem } from "@/api/problem";
import { exportUrl, pageRows, resultPageQuery, type RowsQuery } from "@/api/queries";
import type { Cell } from "@/api/result";
import type { Run } from "@/api/types";
import { tsv } from "@/lib/cells";
import { plural, whole } from "@/lib/format";
import { sentence } from "@/shell/ProblemNote";

import classes from "./Answer.module.css";
import { filterText, sayFilter, type ColumnFilter } from "./filters";
import { Grid, type Sorting } from "./Grid";
import grid from "./Grid.module.css";

/** Browsers bound the height of an element: a longer result comes in parts of so many rows. */
const partRows = 400_000;
const copyRows = 1_000;

/** The rows: paged, sorted and filtered by the server. */
export function TableTab({ run, result }: { run: Run; result: NonNullable<Run["result"]> }) {
  const [sort, setSort] = useState<Sorting | null>(null);
  const [filters, setFilters] = useState<ColumnFilter[]>([]);
  const [part, setPart] = useState(0);
  const [total, setTotal] = useState(result.row_count);
  const queries = useQueryClient();
  const rows: RowsQuery = useMemo(
    () => ({ sort: sort ? [sort.column + (sort.descending ? ":desc" : ":asc")] : [], filter: filters.map(filterText) }),
    [sort, filters],
  );
  const columns = result.columns ?? [];
  const parts = Math.max(1, Math.ceil(total / partRows));

  const copy = async () => {
    try {
      const found: Cell[][] = [];
      for (let page = 0; found.length < Math.min(copyRows, total); page++) {
        const got = await queries.fetchQuery(resultPageQuery(run.id, rows, page));
        found.push(...got.rows);
        if (got.nextOffset === null) break;
      }
      const taken = found.slice(0, copyRows);
      await navigator.clipboard.writeText(tsv(columns, taken));
      notifications.show({ message: total > taken.length ? `The first ${whole(taken.length)} of ${plural(total, "row")} are copied. Export gives all.` : `${plural(taken.length, "row")} copied.` });
    } catch (e) {
      notifications.show({ color: "red", title: "Not copied", message: sentence(asProblem(e).message) });
    }
  };
  return (
    <>
      <div className={classes.toolbar}>
        <span className="tabular" role="status">
          {filters.length > 0 ? `${whole(total)} of ${plural(result.row_count, "row")}` : plural(total, "row")}
        </span>
        {filters.map((f) => (
          <span key={filterText(f)} className={grid.filter}>
            <span className="cut">{sayFilter(f)}</span>
            <CloseButton size="xs" aria-label={`Drop the filter ${sayFilter(f)}`} onClick={() => setFilters((all) => all.filter((x) => x !== f))} />
          </span>
        ))}
        <span className={classes.space} />
        {parts > 1 && (
          <span className="tabular" style={{ display: "inline-flex", alignItems: "center", gap: 4 }}>
            <Button size="compact-xs" variant="default" disabled={part === 0} onClick={() => setPart(part - 1)} aria-label="Rows before">
              <IconChevronLeft size={14} />
            </Button>
            rows {whole(part * partRows + 1)} to {whole(Math.min(total, (part + 1) * partRows))}
            <Button size="compact-xs" variant="default" disabled={part + 1 >= parts} onClick={() => setPart(part + 1)} aria-label="Rows behind">
              <IconChevronRight size={14} />
            </Button>
          </span>
        )}
        <Button size="compact-sm" variant="subtle" color="gray" leftSection={<IconCopy size={15} aria-hidden />} onClick={() => void copy()} disabled={columns.length === 0}>
          Copy
        </Button>
        <Menu position="bottom-end">
          <Menu.Target>
            <Button size="compact-sm" variant="subtle" color="gray" leftSection={<IconDownload size={15} aria-hidden />}>
              Export
            </Button>
          </Menu.Target>
          <Menu.Dropdown>
            <Menu.Item component="a" href={exportUrl(run.id, "csv")} download>CSV, for a spreadsheet</Menu.Item>
            <Menu.Item component="a" href={exportUrl(run.id, "parquet")} download>Parquet, exact types</Menu.Item>
            <Menu.Divider />
            <Menu.Item component="a" href={exportUrl(run.id, "ipynb")} download>Notebook (.ipynb)</Menu.Item>
            <Menu.Item component="a" href={exportUrl(run.id, "py")} download>Python script (.py)</Menu.Item>
          </Menu.Dropdown>
        </Menu>
      </div>
      <Grid
        key={JSON.stringify([rows, part])}
        runId={run.id}
        columns={columns}
        rows={rows}
        first={part * partRows}
        count={Math.max(0, Math.min(partRows, total - part * partRows))}
        sort={sort}
        onSort={(next) => {
          setSort(next);
          setPart(0);
        }}
        onFilter={(f) => {
          setFilters((all) => [...all.filter((x) => filterText(x) !== filterText(f)), f]);
          setPart(0);
        }}
        onTotal={(n) => {
          if (n !== total) setTotal(n);
        }}
        pageRows={pageRows}
      />
    </>
  );
}
