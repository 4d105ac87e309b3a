import { keepPreviousData, queryOptions } from "@tanstack/react-query";

import { body, client } from "./client";
import { parsePage, type Cell, type ResultPage } from "./result";
import type { components } from "./schema";
import type { NewRun, Run, TableHead } from "./types";

type Schemas = components["schemas"];

/** What the server is and can do. */
export const metaQuery = queryOptions({
  queryKey: ["meta"],
  queryFn: ({ signal }) => body(client.GET("/api/v1/meta", { signal })),
  staleTime: 60_000,
});

export const connectionsQuery = queryOptions({
  queryKey: ["connections"],
  queryFn: async ({ signal }) => (await body(client.GET("/api/v1/connections", { signal }))).connections ?? [],
  staleTime: 30_000,
});

const tablesPage = (name: string, q: string, offset: number, limit: number, signal: AbortSignal) =>
  body(
    client.GET("/api/v1/connections/{name}/tables", {
      params: { path: { name }, query: { ...(q ? { q } : {}), offset, limit } },
      signal,
    }),
  );

/** All tables of a connection that fit a search. The server gives at most 1,000 at once. */
export const tablesQuery = (connection: string, q: string) =>
  queryOptions({
    queryKey: ["tables", connection, q],
    queryFn: async ({ signal }) => {
      const out: TableHead[] = [];
      for (let offset: number | undefined = 0; offset !== undefined; ) {
        const page: Schemas["TableList"] = await tablesPage(connection, q, offset, 1000, signal);
        out.push(...(page.tables ?? []));
        offset = page.next_offset;
      }
      return out;
    },
    staleTime: 60_000,
  });

/** The first tables that fit a search, for a list to choose from. */
export const someTablesQuery = (connection: string, q: string) =>
  queryOptions({
    queryKey: ["tables", connection, q, "some"],
    queryFn: async ({ signal }) => (await tablesPage(connection, q, 0, 12, signal)).tables ?? [],
    staleTime: 60_000,
    placeholderData: keepPreviousData,
  });

export const tableQuery = (connection: string, schema: string, table: string) =>
  queryOptions({
    queryKey: ["table", connection, schema, table],
    queryFn: ({ signal }) =>
      body(client.GET("/api/v1/connections/{name}/tables/{schema}/{table}", { params: { path: { name: connection, schema, table } }, signal })),
    staleTime: 60_000,
  });

/** What PostgreSQL's statistics say of a table's columns. */
export const profileQuery = (connection: string, schema: string, table: string) =>
  queryOptions({
    queryKey: ["table", connection, schema, table, "profile"],
    queryFn: ({ signal }) =>
      body(client.GET("/api/v1/connections/{name}/tables/{schema}/{table}/profile", { params: { path: { name: connection, schema, table } }, signal })),
    staleTime: 60_000,
  });

/** Questions that the built-in planner can answer: of these tables, or of the whole connection. */
export const suggestionsQuery = (connection: string, tables: readonly string[], limit: number) =>
  queryOptions({
    queryKey: ["suggestions", connection, tables, limit],
    queryFn: async ({ signal }) =>
      (await body(client.GET("/api/v1/connections/{name}/suggestions", { params: { path: { name: connection }, query: { table: [...tables], limit } }, signal })))
        .suggestions ?? [],
    staleTime: 300_000,
    placeholderData: keepPreviousData,
  });

export const runQuery = (id: string) =>
  queryOptions({
    queryKey: ["run", id],
    queryFn: ({ signal }) => body(client.GET("/api/v1/runs/{id}", { params: { path: { id } }, signal })),
  });

/** The newest runs, for the column beside the answer. */
export const recentQuery = queryOptions({
  queryKey: ["runs", "recent"],
  queryFn: async ({ signal }) => (await body(client.GET("/api/v1/runs", { params: { query: { limit: 40 } }, signal }))).runs ?? [],
});

/** Every version of a run's code; another hash of the last one is another list. */
export const revisionsQuery = (id: string, hash: string) =>
  queryOptions({
    queryKey: ["run", id, "revisions", hash],
    queryFn: async ({ signal }) => (await body(client.GET("/api/v1/runs/{id}/revisions", { params: { path: { id } }, signal }))).revisions ?? [],
  });

/** Where a question would run, and what it may read. */
export const planQuery = (req: NewRun) =>
  queryOptions({
    queryKey: ["plan", req],
    queryFn: ({ signal }) => body(client.POST("/api/v1/plan", { body: req, signal })),
    staleTime: 60_000,
    placeholderData: keepPreviousData,
    retry: false,
  });

/** How rows are asked for: the server sorts and filters. */
export interface RowsQuery {
  sort: string[];
  filter: string[];
}

export const pageRows = 200;

/** One page of a result's rows. */
export const resultPageQuery = (id: string, rows: RowsQuery, page: number) =>
  queryOptions({
    queryKey: ["run", id, "result", rows, page],
    queryFn: async ({ signal }): Promise<ResultPage> => {
      const query = { offset: page * pageRows, limit: pageRows, sort: rows.sort, filter: rows.filter };
      return parsePage(await body(client.GET("/api/v1/runs/{id}/result", { params: { path: { id }, query }, signal, parseAs: "text" })));
    },
    staleTime: Infinity, // a result does not change
    gcTime: 60_000,
  });

export const drawableRows = 5_000;

/** The rows that a chart is drawn from: the first ones, in as many pages as the server needs. */
export const drawableQuery = (id: string) =>
  queryOptions({
    queryKey: ["run", id, "drawable"],
    queryFn: async ({ signal }) => {
      const rows: Cell[][] = [];
      for (let offset: number | null = 0; offset !== null && rows.length < drawableRows; ) {
        const query = { offset, limit: drawableRows - rows.length };
        const page: ResultPage = parsePage(await body(client.GET("/api/v1/runs/{id}/result", { params: { path: { id }, query }, signal, parseAs: "text" })));
        rows.push(...page.rows);
        offset = page.nextOffset;
      }
      return rows;
    },
    staleTime: Infinity,
    gcTime: 60_000,
  });

/** Makes a run. The key lets the request be repeated after a lost connection without asking twice. */
export function createRun(req: NewRun, key: string): Promise<Run> {
  return body(client.POST("/api/v1/runs", { params: { header: { "Idempotency-Key": key } }, body: req }));
}

export function cancelRun(id: string): Promise<Run> {
  return body(client.POST("/api/v1/runs/{id}/cancel", { params: { path: { id } } }));
}

export function rerunRun(id: string, req: { code?: string; regenerate?: boolean; review?: boolean }, key: string): Promise<Run> {
  return body(client.POST("/api/v1/runs/{id}/rerun", { params: { path: { id }, header: { "Idempotency-Key": key } }, body: req }));
}

export function pinRun(id: string, pinned: boolean): Promise<Run> {
  return body(client.PUT("/api/v1/runs/{id}/pin", { params: { path: { id } }, body: { pinned } }));
}

/** Where a browser downloads a run's result, script or notebook. */
export const exportUrl = (id: string, format: "csv" | "parquet" | "ipynb" | "py"): string =>
  `/api/v1/runs/${encodeURIComponent(id)}/export?format=${format}`;
