import { IconCheck, IconChevronRight, IconDatabase, IconEye, IconInfoCircle, IconKey, IconLink, IconLock, IconTable } from "@tabler/icons-react";
import { useVirtualizer } from "@tanstack/react-virtual";
import { useId, useRef, useState, type KeyboardEvent } from "react";

import type { TableHead } from "@/api/types";
import { bytes, count } from "@/lib/format";

import classes from "./Sources.module.css";
import { parentOf, type Node } from "./tree";

interface Props {
  nodes: Node[];
  picked: readonly string[];
  /** The connection that is asked when no table is picked */
  current: string;
  onToggle: (id: string) => void;
  onPick: (qualified: string) => void;
  onConnection: (name: string) => void;
  onProfile: (table: TableHead) => void;
}

/**
 * The tree, of which only the lines in sight are in the document. The focus stays on the tree; the active
 * line is named by aria-activedescendant, and the arrow keys move it.
 */
export function Tree({ nodes, picked, current, onToggle, onPick, onConnection, onProfile }: Props) {
  const scroll = useRef<HTMLDivElement>(null);
  const base = useId();
  const [active, setActive] = useState(0);
  const at = Math.min(active, Math.max(0, nodes.length - 1));
   
  const rows = useVirtualizer({ count: nodes.length, getScrollElement: () => scroll.current, estimateSize: () => 28, overscan: 12 });

  const move = (to: number) => {
    const next = Math.max(0, Math.min(nodes.length - 1, to));
    setActive(next);
    rows.scrollToIndex(next);
  };
  const act = (n: Node) => {
    if (n.kind === "table") onPick(n.table.qualified);
    else if (n.kind === "schema") onToggle(n.id);
    else if (n.kind === "connection") {
      onConnection(n.connection.name);
      if (n.connection.name === current || !n.open) onToggle(n.id);
    }
  };
  const onKey = (e: KeyboardEvent) => {
    const n = nodes[at];
    if (!n) return;
    const opens = n.kind === "connection" || n.kind === "schema" || n.kind === "table";
    switch (e.key) {
      case "ArrowDown": move(at + 1); break;
      case "ArrowUp": move(at - 1); break;
      case "Home": move(0); break;
      case "End": move(nodes.length - 1); break;
      case "PageDown": move(at + 12); break;
      case "PageUp": move(at - 12); break;
      case "ArrowRight":
        if (opens && !n.open) onToggle(n.id);
        else if (opens) move(at + 1);
        break;
      case "ArrowLeft":
        if (opens && n.open) onToggle(n.id);
        else move(parentOf(nodes, at));
        break;
      case "Enter":
      case " ": act(n); break;
      case "i":
        if (n.kind === "table") onProfile(n.table);
        break;
      default: return;
    }
    e.preventDefault();
  };

  return (
    <div
      ref={scroll}
      className={classes.tree}
      role="tree"
      aria-label="Tables"
      aria-multiselectable
      tabIndex={0}
      aria-activedescendant={nodes.length > 0 ? `${base}-${at}` : undefined}
      onKeyDown={onKey}
    >
      <div role="presentation" style={{ height: rows.getTotalSize(), position: "relative" }}>
        {rows.getVirtualItems().map((item) => {
          const n = nodes[item.index];
          if (!n) return null;
          return (
            <div
              key={n.id}
              id={`${base}-${item.index}`}
              role="treeitem"
              aria-level={n.level}
              aria-posinset={item.index + 1}
              aria-setsize={nodes.length}
              aria-expanded={"open" in n ? n.open : undefined}
              aria-checked={n.kind === "table" ? picked.includes(n.table.qualified) : undefined}
              data-active={item.index === at ? "" : undefined}
              data-level={n.level}
              data-click={n.kind === "note" || n.kind === "column" ? undefined : ""}
              className={classes.row}
              style={{ transform: `translateY(${item.start}px)` }}
              title={n.kind === "column" ? n.column.comment : n.kind === "table" ? `${n.table.qualified}${n.table.comment ? `\n${n.table.comment}` : ""}` : undefined}
              onClick={() => {
                setActive(item.index);
                act(n);
              }}
            >
              <Line node={n} current={current} onToggle={onToggle} onProfile={onProfile} />
              <span className="visually-hidden">{more(n, current)}</span>
            </div>
          );
        })}
      </div>
    </div>
  );
}

function Line({ node: n, current, onToggle, onProfile }: { node: Node; current: string } & Pick<Props, "onToggle" | "onProfile">) {
  const chevron = "open" in n && (
    <span
      className={classes.chevron}
      aria-hidden
      onClick={(e) => {
        e.stopPropagation();
        onToggle(n.id);
      }}
    >
      <IconChevronRight size={14} stroke={2} />
    </span>
  );
  switch (n.kind) {
    case "connection":
      return (
        <>
          {chevron}
          <IconDatabase size={15} stroke={1.75} aria-hidden color={n.connection.name === current ? "var(--sw-accent)" : "var(--sw-muted)"} />
          <span className={`${classes.name} cut`} dir="auto">{n.connection.name}</span>
          <span className={`${classes.comment} cut`} style={{ fontWeight: 400 }}>{n.connection.demo ? "demo data" : n.connection.database}</span>
        </>
      );
    case "schema":
      return (
        <>
          {chevron}
          <span className={`${classes.name} cut`} dir="auto">{n.schema}</span>
          <span className={classes.fill} />
          <span className={`${classes.size} tabular`}>{n.tables}</span>
        </>
      );
    case "table":
      return (
        <>
          {chevron}
          <span className={classes.box} aria-hidden>
            <IconCheck size={11} stroke={3.5} />
          </span>
          {!n.table.readable ? (
            <IconLock size={14} aria-hidden color="var(--sw-muted)" />
          ) : n.table.kind.includes("view") ? (
            <IconEye size={14} aria-hidden color="var(--sw-muted)" />
          ) : (
            <IconTable size={14} aria-hidden color="var(--sw-muted)" />
          )}
          <span className={`${classes.name} cut`} dir="auto">{n.table.name}</span>
          <span className={classes.fill} />
          <button
            type="button"
            tabIndex={-1}
            className={classes.info}
            aria-hidden
            onClick={(e) => {
              e.stopPropagation();
              onProfile(n.table);
            }}
          >
            <IconInfoCircle size={15} />
          </button>
          <span className={`${classes.size} tabular`}>{n.table.row_estimate < 0 ? "" : count(n.table.row_estimate)}</span>
        </>
      );
    case "column":
      return (
        <>
          <span className={`${classes.name} cut`} dir="auto">{n.column.name}</span>
          <span className={`${classes.type} cut`}>{n.column.type}</span>
          <span className={classes.fill} />
          {n.key && (
            <span className={classes.key}>
              {n.key === "foreign" ? <IconLink size={13} aria-hidden /> : <IconKey size={13} aria-hidden />}
            </span>
          )}
        </>
      );
    case "note":
      return <span className={`${classes.note} cut`} data-tone={n.tone} title={n.text}>{n.text}</span>;
  }
}

const keyWords = { primary: "primary key", foreign: "foreign key", unique: "unique" } as const;

/** What a line shows by its look alone, in words for screen readers. */
function more(n: Node, current: string): string {
  switch (n.kind) {
    case "connection":
      return `, connection${n.connection.name === current ? ", is asked" : ""}`;
    case "schema":
      return "tables, schema";
    case "table": {
      const t = n.table;
      const size = t.row_estimate < 0 ? "" : ` rows, ${bytes(t.bytes)}`;
      return `${size}, ${t.kind}${t.readable ? "" : ", cannot be read"}${t.comment ? `, ${t.comment}` : ""}`;
    }
    case "column":
      return [n.key ? `, ${keyWords[n.key]}` : "", n.refers ? `, refers to ${n.refers}` : "", n.column.comment ? `, ${n.column.comment}` : ""].join("");
    case "note":
      return "";
  }
}
