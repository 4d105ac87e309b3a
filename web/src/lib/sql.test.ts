import { describe, expect, it } from "vitest";

import { lookUp } from "./sql";

describe("lookUp", () => {
  it.each([
    ['SELECT * FROM "sales"."orders" WHERE 1=0', true],
    ["SELECT c.oid FROM pg_catalog.pg_class c", true],
    ['SELECT "id" FROM "sales"."orders" WHERE "id" >= 1 AND "id" < 10', false],
    ['SELECT "pg_type_of_customer" FROM "crm"."customers"', false],
    ['SELECT MONTH, COUNT(*) FROM "sales"."orders" WHERE ("n" IS NOT NULL) GROUP BY 1', false],
    ["EXPLAIN (FORMAT JSON) SELECT 1", true],
  ])("%s: %s", (sql, want) => expect(lookUp(sql)).toBe(want));
});
