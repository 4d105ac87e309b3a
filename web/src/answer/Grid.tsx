import { ActionIcon, Button, CopyButton, Modal, NativeSelect, Popover, Stack, TextInput } from "@mantine/core";
import { IconArrowDown, IconArrowUp, IconCheck, IconCopy, IconFilter } from "@tabler/icons-react";
import { useQueries } from "@tanstack/react-query";
import { createColumnHelper, getCoreRowModel, useReactTable, type Header } from "@tanstack/react-table";
import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useId, useMemo, useRef, useState, type FormEvent, type KeyboardEvent } from "react";

import { resultPageQuery, type RowsQuery } from "@/api/queries";
import type { Cell } from "@/api/result";
import type { ResultColumn } from "@/api/types";
import { kindOf, plainCell, showCell } from "@/lib/cells";
import { ProblemNote } from "@/shell/ProblemNote";

import { opsOf, takesValue, type ColumnFilter, type Op } from "./filters";
import classes from "./Grid.module.css";
import { Panel } from "./Panel";

export interface Sorting {
  column: string;
  descending: boolean;
}

interface Props {
  runId: string;
  columns: ResultColumn[];
  rows: RowsQuery;
  /** The first row that is shown, of all that fit */
  first: number;
  count: number;
  sort: Sorting | null;
  onSort: (s: Sorting | null) => void;
  onFilter: (f: ColumnFilter) => void;
  onTotal: (n: number) => void;
  pageRows: number;
}

const rowHeight = 32;
const headHeight = 44;

interface Col {
  name: string;
  type: string;
  index: number;
}
const helper = createColumnHelper<Col>();

/**
 * Rows and columns of which only those in sight are in the document. The focus stays on the grid; the active
 * cell is named by aria-activedescendant, and the arrow keys move it.
 */
export function Grid(p: Props) {
  const { columns, first, count, pageRows } = p;
  const scroll = useRef<HTMLDivElement>(null);
  const base = useId();
  const [active, setActive] = useState({ row: 0, column: 0 });
  const [shown, setShown] = useState<{ column: ResultColumn; cell: Cell } | null>(null);

   
  const rowsInSight = useVirtualizer({ count, getScrollElement: () => scroll.current, estimateSize: () => rowHeight, overscan: 10, scrollMargin: headHeight, scrollPaddingStart: headHeight });
  const items = rowsInSight.getVirtualItems();
  const pageOf = (row: number) => Math.floor((first + row) / pageRows);
  const from = pageOf(items[0]?.index ?? 0);
  const to = pageOf(items.at(-1)?.index ?? 0);
  const wanted = Array.from({ length: to - from + 1 }, (_, i) => from + i);
  const pages = useQueries({ queries: wanted.map((n) => resultPageQuery(p.runId, p.rows, n)) });
  const cellsOf = (row: number): Cell[] | undefined => {
    const n = pageOf(row);
    return pages[n - from]?.data?.rows[first + row - n * pageRows];
  };
  const failed = pages.find((q) => q.isError);
  const total = pages.find((q) => q.data)?.data?.total;
  const { onTotal } = p;
  useEffect(() => {
    if (total !== undefined) onTotal(total);
  }, [total, onTotal]);

  // Widths come from the names and from the first rows, once these are there.
  const sample = pages[0]?.data?.rows;
  const sizes = useMemo(() => columns.map((c, i) => widthOf(c, (sample ?? []).slice(0, 50).map((r) => r[i] ?? null))), [columns, sample]);
  const definitions = useMemo(
    () => columns.map((c, index) => helper.accessor((x) => x.name, { id: `${index}`, header: c.name, size: sizes[index] ?? 120, minSize: 56, maxSize: 1200, meta: { type: c.type } })),
    [columns, sizes],
  );
  const table = useReactTable({ columns: definitions, data: none, getCoreRowModel: getCoreRowModel(), columnResizeMode: "onChange", manualSorting: true });
  const headers = table.getHeaderGroups()[0]?.headers ?? [];
  const sizing = table.getState().columnSizing;
  const columnsInSight = useVirtualizer({
    horizontal: true,
    count: columns.length,
    getScrollElement: () => scroll.current,
    estimateSize: (i) => headers[i]?.getSize() ?? 120,
    overscan: 3,
  });
  useEffect(() => columnsInSight.measure(), [columnsInSight, sizes, sizing]);
  const across = columnsInSight.getVirtualItems();
  const width = columnsInSight.getTotalSize();

  const move = (row: number, column: number) => {
    const next = { row: clamp(row, count), column: clamp(column, columns.length) };
    setActive(next);
    rowsInSight.scrollToIndex(next.row);
    columnsInSight.scrollToIndex(next.column);
  };
  const onKey = (e: KeyboardEvent) => {
    if (e.target !== e.currentTarget) return;
    const column = columns[active.column];
    const cell = cellsOf(active.row)?.[active.column];
    const far = Math.max(1, Math.floor((scroll.current?.clientHeight ?? 320) / rowHeight) - 2);
    switch (e.key) {
      case "ArrowDown": move(active.row + 1, active.column); break;
      case "ArrowUp": move(active.row - 1, active.column); break;
      case "ArrowRight": move(active.row, active.column + 1); break;
      case "ArrowLeft": move(active.row, active.column - 1); break;
      case "PageDown": move(active.row + far, active.column); break;
      case "PageUp": move(active.row - far, active.column); break;
      case "Home": move(e.ctrlKey || e.metaKey ? 0 : active.row, 0); break;
      case "End": move(e.ctrlKey || e.metaKey ? count - 1 : active.row, columns.length - 1); break;
      case "Enter":
        if (column && cell !== undefined) setShown({ column, cell });
        break;
      case "c":
        if (!(e.ctrlKey || e.metaKey) || cell === undefined || window.getSelection()?.toString()) return;
        void navigator.clipboard.writeText(plainCell(cell));
        break;
      default: return;
    }
    e.preventDefault();
  };

  if (columns.length === 0) return <Panel>The result has no columns.</Panel>;
  return (
    <>
      {failed && (
        <div style={{ padding: 12 }}>
          <ProblemNote error={failed.error} onRetry={() => void failed.refetch()} />
        </div>
      )}
      <div
        ref={scroll}
        className={classes.grid}
        role="grid"
        aria-label="Rows"
        aria-rowcount={count + 1}
        aria-colcount={columns.length}
        aria-readonly
        aria-busy={pages.some((q) => q.isPending)}
        tabIndex={0}
        aria-activedescendant={count > 0 ? `${base}-${active.row}-${active.column}` : undefined}
        onKeyDown={onKey}
      >
        <div role="presentation" style={{ height: rowsInSight.getTotalSize() + headHeight, width, minWidth: "100%", position: "relative" }}>
          <div role="rowgroup" className={classes.head}>
            <div role="row" aria-rowindex={1}>
              {across.map((c) => {
                const header = headers[c.index];
                const column = columns[c.index];
                return header && column ? (
                  <Head key={header.id} header={header} column={column} index={c.index} left={c.start} sort={p.sort} onSort={p.onSort} onFilter={p.onFilter} />
                ) : null;
              })}
            </div>
          </div>
          <div role="rowgroup">
            {items.map((item) => {
              const cells = cellsOf(item.index);
              return (
                <div key={item.key} role="row" aria-rowindex={item.index + 2} className={classes.row} style={{ transform: `translateY(${item.start - headHeight}px)`, width, minWidth: "100%" }}>
                  {across.map((c) => {
                    const column = columns[c.index];
                    if (!column) return null;
                    const number = kindOf(column.type) === "number" ? "" : undefined;
                    const cell = cells?.[c.index];
                    const place = { left: c.start, width: c.size };
                    const on = active.row === item.index && active.column === c.index ? "" : undefined;
                    return (
                      <div
                        key={c.index}
                        id={`${base}-${item.index}-${c.index}`}
                        role="gridcell"
                        aria-colindex={c.index + 1}
                        className={classes.cell}
                        data-number={number}
                        data-active={on}
                        data-empty={cell === null || cell === "" ? "" : undefined}
                        aria-label={cell === null ? "NULL" : cell === "" ? "empty text" : undefined}
                        style={place}
                        dir={number === undefined ? "auto" : undefined}
                        onMouseDown={() => setActive({ row: item.index, column: c.index })}
                        onDoubleClick={() => cell !== undefined && setShown({ column, cell })}
                      >
                        {cell === undefined ? <span className={classes.waiting} style={{ left: 12, width: Math.min(96, c.size - 24) }} /> : oneLine(showCell(cell, column.type, column.name))}
                      </div>
                    );
                  })}
                </div>
              );
            })}
          </div>
        </div>
        {count === 0 && (
          <div style={{ position: "absolute", inset: `${headHeight}px 0 0`, display: "flex" }}>
            <Panel>{p.rows.filter.length > 0 ? "No row fits the filters." : "The answer has no rows: nothing in the data is as was asked. The Code tab says what was looked for."}</Panel>
          </div>
        )}
      </div>
      <Modal opened={shown !== null} onClose={() => setShown(null)} title={shown?.column.name ?? ""} size="lg" closeButtonProps={{ "aria-label": "Close" }}>
        {shown && <Whole column={shown.column} cell={shown.cell} />}
      </Modal>
    </>
  );
}

const none: Col[] = [];
const clamp = (n: number, count: number): number => Math.max(0, Math.min(count - 1, n));
/** Line ends show as such: a row has one line. */
const oneLine = (s: string): string => s.slice(0, 500).replace(/\r?\n/g, " ⏎ ");

/** As wide as its name, its type and most of its first values. */
function widthOf(c: ResultColumn, cells: Cell[]): number {
  const lengths = cells.map((cell) => showCell(cell, c.type, c.name).length);
  const longest = Math.max(c.name.length + 4, Math.ceil(Math.min(24, c.type.length) * 0.85) + 3, ...lengths);
  return Math.round(Math.max(88, Math.min(320, longest * 8.3 + 28)));
}

function Head({ header, column, index, left, sort, onSort, onFilter }: { header: Header<Col, unknown>; column: ResultColumn; index: number; left: number } & Pick<Props, "sort" | "onSort" | "onFilter">) {
  const mine = sort?.column === column.name ? sort : null;
  const next = !mine ? { column: column.name, descending: false } : mine.descending ? null : { column: column.name, descending: true };
  const size = header.getSize();
  return (
    <div
      role="columnheader"
      aria-colindex={index + 1}
      aria-sort={mine ? (mine.descending ? "descending" : "ascending") : "none"}
      className={classes.th}
      data-number={kindOf(column.type) === "number" ? "" : undefined}
      style={{ left, width: size }}
    >
      <button type="button" className={classes.sort} title={`${column.name}: ${column.type}`} onClick={() => onSort(next)}>
        <span className={classes.label}>
          <span className="cut" dir="auto">{column.name}</span>
          {mine && (mine.descending ? <IconArrowDown size={13} aria-hidden /> : <IconArrowUp size={13} aria-hidden />)}
        </span>
        <span className={`${classes.type} cut`}>{column.type}</span>
      </button>
      <FilterButton column={column} onFilter={onFilter} />
      <span
        className={classes.resize}
        aria-hidden
        onPointerDown={header.getResizeHandler()}
        onTouchStart={header.getResizeHandler()}
        onDoubleClick={() => header.column.resetSize()}
      />
    </div>
  );
}

function FilterButton({ column, onFilter }: { column: ResultColumn; onFilter: (f: ColumnFilter) => void }) {
  const ops = opsOf(kindOf(column.type));
  const [opened, setOpened] = useState(false);
  const [op, setOp] = useState<Op>(ops[0]?.value ?? "eq");
  const [value, setValue] = useState("");
  const apply = (e: FormEvent) => {
    e.preventDefault();
    e.stopPropagation();
    onFilter({ column: column.name, op, value });
    setOpened(false);
    setValue("");
  };
  return (
    <Popover opened={opened} onChange={setOpened} position="bottom-end" trapFocus returnFocus withinPortal>
      <Popover.Target>
        <button type="button" className={classes.funnel} aria-label={`Filter ${column.name}`} onClick={() => setOpened((o) => !o)}>
          <IconFilter size={13} aria-hidden />
        </button>
      </Popover.Target>
      <Popover.Dropdown>
        <form onSubmit={apply}>
          <Stack gap={8} w={200}>
            <NativeSelect size="xs" aria-label={`How ${column.name} is compared`} data={ops} value={op} onChange={(e) => setOp(ops.find((o) => o.value === e.currentTarget.value)?.value ?? op)} />
            {takesValue(op) && <TextInput size="xs" aria-label="Value" placeholder="Value" value={value} onChange={(e) => setValue(e.currentTarget.value)} data-autofocus />}
            <Button type="submit" size="xs">Filter</Button>
          </Stack>
        </form>
      </Popover.Dropdown>
    </Popover>
  );
}

function Whole({ column, cell }: { column: ResultColumn; cell: Cell }) {
  return (
    <Stack gap="xs">
      <div className="muted" style={{ display: "flex", alignItems: "center", gap: 8 }}>
        {column.type}
        <CopyButton value={plainCell(cell)} timeout={1500}>
          {({ copied, copy }) => (
            <ActionIcon aria-label={copied ? "Copied" : "Copy the value"} onClick={copy}>
              {copied ? <IconCheck size={16} /> : <IconCopy size={16} />}
            </ActionIcon>
          )}
        </CopyButton>
      </div>
      <pre className="mono" style={{ margin: 0, whiteSpace: "pre-wrap", overflowWrap: "anywhere", maxHeight: "60vh", overflow: "auto" }} dir="auto" tabIndex={0} aria-label="Value">
        {cell === null ? "NULL" : plainCell(cell)}
      </pre>
    </Stack>
  );
}
