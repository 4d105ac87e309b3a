import { describe, expect, it } from "vitest";

import type { TableDetail, TableHead } from "@/api/types";

import { connectionId, flatten, parentOf, partsOf, schemaId, tableId, type TreeState } from "./tree";

const head = (schema: string, name: string): TableHead => ({
  schema, name, qualified: `shop.${schema}.${name}`, kind: "table", columns: 1, row_estimate: 1, bytes: 1, readable: true,
});
const state = (change: Partial<TreeState>): TreeState => ({
  connections: [{ name: "shop", enabled: true, has_secret: true }],
  open: new Set([connectionId("shop")]),
  tables: new Map([["shop", [head("crm", "customers"), head("sales", "orders")]]]),
  details: new Map(),
  problems: new Map(),
  searching: false,
  ...change,
});
const lines = (s: TreeState) => flatten(s).map((n) => `${"  ".repeat(n.level - 1)}${n.kind}${n.kind === "note" ? ` ${n.text}` : ""}`);

describe("flatten", () => {
  it("opens the schemas of a connection that has few", () => {
    expect(lines(state({}))).toEqual(["connection", "  schema", "    table", "  schema", "    table"]);
  });
  it("keeps many schemas closed, until one is opened", () => {
    const tables = new Map([["shop", Array.from({ length: 7 }, (_, i) => head(`s${i}`, "t"))]]);
    expect(lines(state({ tables }))).toHaveLength(8);
    expect(lines(state({ tables, open: new Set([connectionId("shop"), schemaId("shop", "s0")]) }))).toHaveLength(9);
  });
  it("shows everything that a search has found, whatever is closed", () => {
    expect(lines(state({ searching: true, open: new Set([connectionId("shop"), schemaId("shop", "crm")]) }))).toHaveLength(5);
  });
  it("says what it waits for, what failed and that nothing fits", () => {
    expect(lines(state({ tables: new Map() }))[1]).toBe("  note Reading the tables…");
    expect(lines(state({ problems: new Map([["shop", "No login"]]) }))[1]).toBe("  note No login");
    expect(lines(state({ tables: new Map([["shop", []]]), searching: true }))[1]).toBe("  note No table fits");
    expect(lines(state({ open: new Set() }))).toEqual(["connection"]);
  });
  it("shows columns with their keys", () => {
    const detail = {
      connection: "shop", database: "shop", schema: "sales", name: "orders", kind: "table", bytes: 1, row_estimate: 1, readable: true, primary_key: ["id"],
      columns: ["id", "customer_id", "note"].map((name) => ({ name, type: "bigint", base_type: "bigint", nullable: false })),
      foreign_keys: [{ name: "fk", columns: ["customer_id"], ref_schema: "crm", ref_table: "customers", ref_columns: ["id"] }],
    } satisfies TableDetail;
    const open = new Set([connectionId("shop"), tableId("shop.sales.orders")]);
    const columns = flatten(state({ open, details: new Map([["shop.sales.orders", detail]]) })).filter((n) => n.kind === "column");
    expect(columns.map((c) => [c.column.name, c.key, c.refers])).toEqual([["id", "primary", ""], ["customer_id", "foreign", "crm.customers"], ["note", null, ""]]);
  });
});

describe("the tree's lines", () => {
  it("know the one that holds them", () => {
    const nodes = flatten(state({}));
    expect([4, 3, 2, 1, 0].map((i) => parentOf(nodes, i))).toEqual([3, 0, 1, 0, 0]);
  });
  it("know their parts, whatever dots are in them", () => {
    expect(partsOf({ ...head("a.b", "c.d"), qualified: "shop/x.a.b.c.d" })).toEqual({ connection: "shop/x", schema: "a.b", table: "c.d" });
  });
});
