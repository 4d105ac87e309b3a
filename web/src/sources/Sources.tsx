import { Button, CloseButton, Skeleton, TextInput } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { IconSearch } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useEffect, useMemo, useState } from "react";

import { connectionsQuery } from "@/api/queries";
import { asProblem } from "@/api/problem";
import type { TableHead } from "@/api/types";
import { plural } from "@/lib/format";
import { filterMark } from "@/shell/keys";
import { ProblemNote, sentence } from "@/shell/ProblemNote";
import { chooseConnection, draft, toggleTable, useDraft } from "@/workbench/draft";

import classes from "./Sources.module.css";
import { TableProfile } from "./TableProfile";
import { connectionId, flatten } from "./tree";
import { Tree } from "./Tree";
import { useTables } from "./useTables";

/** Connections, schemas, tables and columns; what is picked is what will be asked about. */
export function Sources() {
  const connections = useQuery(connectionsQuery);
  const [text, setText] = useState("");
  const [q] = useDebouncedValue(text.trim(), 200);
  const [open, setOpen] = useState<ReadonlySet<string>>(new Set());
  const [profile, setProfile] = useState<TableHead | null>(null);
  const { tables: picked, connection } = useDraft();

  const first = connections.data?.find((c) => c.enabled)?.name;
  useEffect(() => {
    if (!first) return;
    const known = connections.data?.some((c) => c.name === draft.get().connection);
    const chosen = known ? draft.get().connection : first;
    if (!known) draft.set({ connection: first });
    setOpen((o) => (o.size > 0 ? o : new Set([connectionId(chosen)])));
  }, [first, connections.data]);

  const opened = useMemo(
    () => (connections.data ?? []).filter((c) => open.has(connectionId(c.name))).map((c) => c.name),
    [connections.data, open],
  );
  const found = useTables(opened, q, open);

  const problems = useMemo(
    () => new Map([...found.problems].map(([name, error]) => [name, sentence(asProblem(error).message)])),
    [found.problems],
  );
  const nodes = useMemo(
    () => flatten({ connections: connections.data ?? [], open, tables: found.tables, details: found.details, problems, searching: q !== "" }),
    [connections.data, open, found.tables, found.details, problems, q],
  );
  const toggle = (id: string) =>
    setOpen((o) => {
      const next = new Set(o);
      if (!next.delete(id)) next.add(id);
      return next;
    });

  return (
    <div className={classes.panel}>
      <div className={classes.head}>
        <TextInput
          {...filterMark}
          size="sm"
          value={text}
          onChange={(e) => setText(e.currentTarget.value)}
          placeholder="Filter tables"
          aria-label="Filter tables, columns and comments"
          leftSection={<IconSearch size={15} aria-hidden />}
          rightSection={text ? <CloseButton size="sm" aria-label="Clear the filter" onClick={() => setText("")} /> : <kbd className="hint">/</kbd>}
          onKeyDown={(e) => {
            if (e.key === "Escape" && text) {
              e.stopPropagation();
              setText("");
            } else if (e.key === "ArrowDown") {
              e.preventDefault();
              e.currentTarget.closest(`.${classes.panel}`)?.querySelector<HTMLElement>('[role="tree"]')?.focus();
            }
          }}
        />
        <div className="visually-hidden" role="status">
          {q !== "" && !found.pending ? `${plural(found.total, "table")} found` : ""}
        </div>
      </div>
      {connections.isPending && <Skeleton height={24} mx={16} />}
      {connections.isError && !connections.data && (
        <div style={{ padding: 12 }}>
          <ProblemNote error={connections.error} onRetry={() => void connections.refetch()} />
        </div>
      )}
      {connections.data && (
        <Tree
          nodes={nodes}
          picked={picked}
          current={connection}
          onToggle={toggle}
          onPick={toggleTable}
          onConnection={chooseConnection}
          onProfile={setProfile}
        />
      )}
      <div className={classes.foot}>
        {picked.length === 0 ? (
          <span>{connection ? `None picked: the whole of ${connection} is asked.` : "Tables appear here when there is a connection."}</span>
        ) : (
          <>
            <span style={{ flex: 1 }}>{plural(picked.length, "table")} picked</span>
            <Button size="compact-xs" variant="subtle" onClick={() => draft.set({ tables: [] })}>
              Clear
            </Button>
          </>
        )}
      </div>
      <TableProfile table={profile} onClose={() => setProfile(null)} />
    </div>
  );
}
