import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";
import { parse } from "lossless-json";

import { body, client } from "./client";
import { Problem } from "./problem";
import { cellOf, type Cell } from "./result";
import type { components } from "./schema";
import type { ResultColumn, Run, RunState, Summary } from "./types";

type Schemas = components["schemas"];

export type Connection = Schemas["Connection"];
export type ConnectionChange = Schemas["ConnectionChange"];
export type ConnectionTest = Schemas["ConnectionTest"];
export type DemoState = Schemas["DemoState"];
export type SettingKey = Schemas["SettingKey"];
export type SettingsBody = Schemas["SettingsBody"];
export type SettingsChange = Schemas["SettingsChange"];
export type DoctorReport = Schemas["DoctorReport"];
export type DoctorFinding = Schemas["DoctorFinding"];

/** What is looked for among the runs. */
export interface Search {
  q: string;
  state: RunState | "";
  pinned: boolean;
}

/** Runs, newest first, page by page. */
export const historyQuery = (s: Search) =>
  infiniteQueryOptions({
    queryKey: ["runs", "history", s],
    queryFn: ({ pageParam, signal }) =>
      body(
        client.GET("/api/v1/runs", {
          params: {
            query: {
              limit: 50,
              ...(s.q ? { q: s.q } : {}),
              ...(s.state ? { state: s.state } : {}),
              ...(s.pinned ? { pinned: true } : {}),
              ...(pageParam ? { cursor: pageParam } : {}),
            },
          },
          signal,
        }),
      ),
    initialPageParam: "",
    getNextPageParam: (page) => page.next || undefined,
  });

export const deleteRun = async (id: string): Promise<void> => {
  await client.DELETE("/api/v1/runs/{id}", { params: { path: { id } } });
};

/** How the results of two runs differ. Cells keep every digit. */
export interface Comparison {
  a: Summary;
  b: Summary;
  sameCode: boolean;
  columns: ResultColumn[];
  missingA: string[];
  missingB: string[];
  types: { column: string; a: string; b: string }[];
  same: number;
  onlyA: number;
  onlyB: number;
  inOrder: boolean;
  rowsA: Cell[][];
  rowsB: Cell[][];
}

export const comparisonQuery = (a: string, b: string) =>
  queryOptions({
    queryKey: ["compare", a, b],
    queryFn: async ({ signal }): Promise<Comparison> =>
      parseComparison(await body(client.GET("/api/v1/runs/{id}/compare/{other}", { params: { path: { id: a, other: b } }, signal, parseAs: "text" }))),
    staleTime: Infinity,
    retry: false,
  });

/** The rows are read without loss, the rest as usual: its numbers are counts. */
export function parseComparison(text: string): Comparison {
  const doc: Schemas["Comparison"] = JSON.parse(text);
  const exact = parse(text);
  if (!isRecord(exact) || !Array.isArray(doc.columns)) {
    throw new Problem({ title: "the server's answer is not a comparison", code: "internal" });
  }
  const rows = (v: unknown): Cell[][] => (Array.isArray(v) ? v.map((row: unknown) => (Array.isArray(row) ? row.map(cellOf) : [])) : []);
  return {
    a: doc.a, b: doc.b, sameCode: doc.same_code, columns: doc.schema ?? [], missingA: doc.missing_in_a ?? [], missingB: doc.missing_in_b ?? [],
    types: doc.types ?? [], same: doc.same, onlyA: doc.only_a, onlyB: doc.only_b, inOrder: doc.in_order,
    rowsA: rows(exact.rows_a), rowsB: rows(exact.rows_b),
  };
}

const isRecord = (v: unknown): v is Record<string, unknown> => typeof v === "object" && v !== null && !Array.isArray(v);

/** Approves or rejects the code that was seen. */
export function decideRun(id: string, approve: boolean, codeHash: string, why: string): Promise<Run> {
  const request = { params: { path: { id } }, body: { code_hash: codeHash, ...(why ? { why } : {}) } };
  return body(approve ? client.POST("/api/v1/runs/{id}/approve", request) : client.POST("/api/v1/runs/{id}/reject", request));
}

/** Adds a connection, or replaces the one of its name. */
export function saveConnection(c: ConnectionChange, isNew: boolean): Promise<Connection> {
  return body(
    isNew
      ? client.POST("/api/v1/connections", { body: c })
      : client.PUT("/api/v1/connections/{name}", { params: { path: { name: c.name } }, body: c }),
  );
}

export const removeConnection = async (name: string): Promise<void> => {
  await client.DELETE("/api/v1/connections/{name}", { params: { path: { name } } });
};

export function testConnection(name: string): Promise<ConnectionTest> {
  return body(client.POST("/api/v1/connections/{name}/test", { params: { path: { name } } }));
}

/** Logs in as the connection would, and keeps nothing. */
export function tryConnection(c: ConnectionChange): Promise<ConnectionTest> {
  return body(client.POST("/api/v1/connections/test", { body: c }));
}

export const demoQuery = queryOptions({
  queryKey: ["demo"],
  queryFn: ({ signal }) => body(client.GET("/api/v1/demo", { signal })),
  refetchInterval: (q) => (q.state.data?.state === "starting" ? 1_000 : false),
});

export const startDemo = (): Promise<DemoState> => body(client.POST("/api/v1/demo"));

export const settingsQuery = queryOptions({
  queryKey: ["settings"],
  queryFn: ({ signal }) => body(client.GET("/api/v1/settings", { signal })),
});

export const settingKeysQuery = queryOptions({
  queryKey: ["settings", "reference"],
  queryFn: async ({ signal }) => (await body(client.GET("/api/v1/settings/reference", { signal }))).keys ?? [],
  staleTime: 300_000,
});

export const changeSettings = (change: SettingsChange): Promise<SettingsBody> => body(client.PUT("/api/v1/settings", { body: change }));

/** What the doctor finds, by the quick checks or by all of them. */
export const doctorQuery = (full: boolean) =>
  queryOptions({
    queryKey: ["doctor", full],
    queryFn: ({ signal }) => body(client.GET("/api/v1/doctor", { params: { query: full ? { full: true } : {} }, signal })),
    staleTime: 60_000,
    retry: false,
  });
