import { useQueries, type UseQueryResult } from "@tanstack/react-query";
import { useMemo } from "react";

import { tableQuery, tablesQuery } from "@/api/queries";
import type { TableDetail, TableHead } from "@/api/types";

import { partsOf, tableId } from "./tree";

export interface FoundTables {
  tables: ReadonlyMap<string, TableHead[]>;
  details: ReadonlyMap<string, TableDetail>;
  problems: ReadonlyMap<string, unknown>;
  total: number;
  pending: boolean;
}

/**
 * The tables of the opened connections that fit a search, with the columns of those
 * that are opened. All of them: the tree is virtual.
 */
export function useTables(connections: readonly string[], q: string, open: ReadonlySet<string>): FoundTables {
  const lists = useQueries({ queries: connections.map((name) => tablesQuery(name, q)), combine: gather });
  const tables = useMemo(() => {
    const out = new Map<string, TableHead[]>();
    connections.forEach((name, i) => {
      const list = lists.data[i];
      if (list) out.set(name, list);
    });
    return out;
  }, [connections, lists]);
  const opened = useMemo(() => [...tables.values()].flat().filter((t) => open.has(tableId(t.qualified))), [tables, open]);
  const found = useQueries({
    queries: opened.map((t) => {
      const p = partsOf(t);
      return tableQuery(p.connection, p.schema, p.table);
    }),
    combine: gather,
  });
  const details = useMemo(() => {
    const out = new Map<string, TableDetail>();
    opened.forEach((t, i) => {
      const detail = found.data[i];
      if (detail) out.set(t.qualified, detail);
    });
    return out;
  }, [opened, found]);
  const problems = useMemo(() => {
    const out = new Map<string, unknown>();
    connections.forEach((name, i) => {
      if (lists.errors[i] && !lists.data[i]) out.set(name, lists.errors[i]);
    });
    return out;
  }, [connections, lists]);
  const total = useMemo(() => [...tables.values()].reduce((n, list) => n + list.length, 0), [tables]);
  return { tables, details, problems, total, pending: lists.pending };
}

/** Several queries as one value, which stays the same while they do. */
function gather<T>(all: UseQueryResult<T>[]): { data: (T | undefined)[]; errors: (Error | null)[]; pending: boolean } {
  return { data: all.map((q) => q.data), errors: all.map((q) => q.error), pending: all.some((q) => q.isPending) };
}
