import { describe, expect, it } from "vitest";

import type { SettingKey } from "@/api/desk";

import { edit, search, sectionsOf, spans, toChange } from "./model";

const key = (name: string, kind: SettingKey["kind"], fallback: unknown, more: Partial<SettingKey> = {}): SettingKey => ({
  key: name, kind, default: fallback, about: "About " + name, variable: "SPARKWRIGHT_X", environment: false, secret: false, ...more,
});
const keys = [
  key("spark.master", "text", "local[*]"), key("spark.emr_application_id", "text", ""), key("spark.max_retries", "number", 3),
  key("postgres.show_values", "boolean", true), key("model.api_key", "text", "", { secret: true }), key("new.thing", "text", ""),
];
const all = sectionsOf(keys, { values: { "spark.master": "local[2]", "spark.max_retries": 5, "postgres.show_values": false }, secrets: { "model.api_key": true } });
const find = (k: string) => {
  const found = all.flatMap((s) => s.settings).find((s) => s.key === k);
  if (!found) throw new Error(k);
  return found;
};

describe("sectionsOf", () => {
  it("puts every key into one section, also one that it does not know", () => {
    expect(all.flatMap((s) => s.settings.map((x) => [s.title, x.key]))).toEqual([
      ["Models", "model.api_key"], ["AWS", "spark.emr_application_id"], ["Spark on this machine", "spark.master"], ["Spark on this machine", "spark.max_retries"],
      ["PostgreSQL", "postgres.show_values"], ["Other", "new.thing"],
    ]);
  });
  it("takes values, and defaults where there are none", () => {
    expect(find("spark.master")).toMatchObject({ name: "master", value: "local[2]", fallback: "local[*]" });
    expect(find("postgres.show_values").value).toBe(false);
    expect(find("new.thing").value).toBe("");
    expect(find("model.api_key").known).toBe(true);
  });
});

describe("edit", () => {
  it("drops what is no change", () => {
    const edits = edit({}, find("spark.max_retries"), 7);
    expect(edits).toEqual({ "spark.max_retries": 7 });
    expect(edit(edits, find("spark.max_retries"), 5)).toEqual({});
    expect(edit({}, find("model.api_key"), "")).toEqual({});
    expect(edit({}, find("model.api_key"), null)).toEqual({ "model.api_key": null });
  });
  it("is sent as the server takes it", () => {
    let edits = edit({}, find("spark.master"), null);
    edits = edit(edits, find("model.api_key"), "sk-1");
    expect(toChange(all, edits)).toEqual({ values: { "spark.master": null }, secrets: { "model.api_key": "sk-1" } });
    expect(toChange(all, { "model.api_key": null })).toEqual({ values: {}, secrets: { "model.api_key": "" } });
  });
});

it("finds settings by every word", () => {
  expect(search(all, "EMR application").flatMap((s) => s.settings.map((x) => x.key))).toEqual(["spark.emr_application_id"]);
  expect(search(all, "nothing")).toEqual([]);
  expect(search(all, " ")).toHaveLength(all.length);
});

it("takes words of code apart", () => {
  expect(spans("Use `local` or `yarn`.")).toEqual([
    { text: "Use ", code: false }, { text: "local", code: true }, { text: " or ", code: false }, { text: "yarn", code: true }, { text: ".", code: false },
  ]);
});
