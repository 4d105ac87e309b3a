import type { SettingKey, SettingsBody, SettingsChange } from "@/api/desk";

export type Value = string | number | boolean;

/** One setting with what it is now. */
export interface Setting extends Omit<SettingKey, "default"> {
  /** What comes after the group's dot */
  name: string;
  fallback: Value;
  value: Value;
  /** A secret is known */
  known: boolean;
}

export interface Section {
  title: string;
  about: string;
  settings: Setting[];
}

/** Sections of the page: which keys they take, by the beginning of the key. The first that fits has it. */
const sections: readonly { title: string; about: string; keys: readonly string[] }[] = [
  { title: "Models", about: "Who writes the code. Without a model the built-in planner answers what it fully understands.", keys: ["model.", "anthropic.", "bedrock.", "global.", "generator."] },
  { title: "AWS", about: "EMR Serverless, Lambda, Glue and S3. Nothing of AWS is used before it is set.", keys: [
    "spark.s3_", "spark.lambda", "spark.emr", "spark.supervisor", "spark.execution_role", "spark.region", "spark.executor_", "spark.log_group", "spark.instance",
    "spark.presigned", "spark.file_size", "glue.", "aws.", "s3.",
  ] },
  { title: "Spark on this machine", about: "The local engine.", keys: ["spark."] },
  { title: "PostgreSQL", about: "What is common to all connections.", keys: ["postgres."] },
  { title: "Limits", about: "What is accepted from users, and how much of it at once.", keys: ["limits."] },
  { title: "Results", about: "Where results are kept, and for how long.", keys: ["results."] },
  { title: "Server", about: "How this server is set up.", keys: ["server.", "auth.", "database.", "runtime.", "secrets."] },
  { title: "Kept for the reference system's clients", about: "Nothing here uses them.", keys: ["ray.", "ray_cluster."] },
];

const scalar = (v: unknown): Value => (typeof v === "string" || typeof v === "number" || typeof v === "boolean" ? v : "");

/** Every setting in its section, in the order of the file. Sections without settings are left out. */
export function sectionsOf(keys: readonly SettingKey[], now: Pick<SettingsBody, "values" | "secrets">): Section[] {
  const out = [...sections, { title: "Other", about: "", keys: [""] }].map((s) => ({ ...s, settings: new Array<Setting>() }));
  for (const { default: fallback, ...key } of keys) {
    const section = out.find((s) => s.keys.some((k) => key.key.startsWith(k)));
    section?.settings.push({
      ...key, fallback: scalar(fallback), name: key.key.slice(key.key.indexOf(".") + 1).replaceAll("_", " "),
      value: scalar(now.values[key.key] ?? fallback), known: now.secrets[key.key] === true,
    });
  }
  return out.filter((s) => s.settings.length > 0).map(({ title, about, settings }) => ({ title, about, settings }));
}

/** Sections with the settings that hold every word in key or text. */
export function search(all: readonly Section[], text: string): Section[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const fits = (s: Setting) => words.every((w) => `${s.key} ${s.name} ${s.about}`.toLowerCase().includes(w));
  return all.map((s) => ({ ...s, settings: s.settings.filter(fits) })).filter((s) => s.settings.length > 0);
}

/** What was typed, by key. A secret's null forgets it; a value's null sets it back. */
export type Edits = Readonly<Record<string, Value | null>>;

/** Notes an edit; one that says what is anyhow is none. */
export function edit(edits: Edits, s: Setting, value: Value | null): Edits {
  const rest = Object.fromEntries(Object.entries(edits).filter(([key]) => key !== s.key));
  if (s.secret ? value === "" || (value === null && !s.known) : value === s.value) return rest;
  return { ...rest, [s.key]: value };
}

/** The edits as the server takes them. */
export function toChange(all: readonly Section[], edits: Edits): SettingsChange {
  const secret = new Set(all.flatMap((s) => s.settings).filter((s) => s.secret).map((s) => s.key));
  const out = { values: {} as Record<string, unknown>, secrets: {} as Record<string, string> };
  for (const [key, value] of Object.entries(edits)) {
    if (secret.has(key)) out.secrets[key] = value === null ? "" : String(value);
    else out.values[key] = value;
  }
  return out;
}

/** Text with words of code in backquotes, taken apart. */
export function spans(about: string): { text: string; code: boolean }[] {
  return about.split("`").map((text, i) => ({ text, code: i % 2 === 1 })).filter((s) => s.text !== "");
}
