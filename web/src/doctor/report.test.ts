import { expect, it } from "vitest";

import type { DoctorFinding } from "@/api/desk";

import { groups, verdict } from "./report";

const finding = (id: string, level: DoctorFinding["level"]): DoctorFinding => ({
  id, group: id.slice(0, id.indexOf(".")), title: id, how: "", level, message: "", fixable: false, seconds: 0,
});
const all = [finding("local.a", "ok"), finding("local.b", "skipped"), finding("aws.a", "skipped"), finding("database.a", "ok"), finding("database.b", "fail"), finding("model.a", "warn")];

it("puts what matters first", () => {
  expect(groups(all, false).map(([name, list]) => [name, list.map((f) => f.id)])).toEqual([
    ["database", ["database.b", "database.a"]], ["model", ["model.a"]], ["local", ["local.a"]],
  ]);
  expect(groups(all, true).at(-1)?.[0]).toBe("aws");
});

it("says it in one sentence", () => {
  expect(verdict({ findings: all })).toBe("1 check fails, 1 warning.");
  expect(verdict({ findings: [finding("a.a", "warn"), finding("a.b", "warn")] })).toBe("Nothing fails; 2 warnings.");
  expect(verdict({ findings: [] })).toBe("Everything that was looked at is fine.");
});
