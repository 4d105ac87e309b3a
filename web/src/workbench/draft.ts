import type { Executor } from "@/api/types";
import { createStore, useStore } from "@/lib/store";

/** What will be asked next, and of what. */
export interface Draft {
  text: string;
  /** "" until one is chosen: the first one is taken */
  connection: string;
  /** connection.schema.table; none = the whole connection */
  tables: string[];
  /** "" = where it fits best */
  executor: Executor | "";
  review: boolean;
  /** Never PostgreSQL by itself */
  spark: boolean;
  /** Groups the runs of this tab */
  session: string;
  /** What was asked in this tab, the last one first */
  asked: string[];
}

const record = (v: unknown): v is Record<string, unknown> => typeof v === "object" && v !== null;
const strings = (v: unknown): string[] => (Array.isArray(v) ? v.filter((x): x is string => typeof x === "string") : []);

function newSession(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(9));
  return "page-" + Array.from(bytes, (b) => b.toString(36).padStart(2, "0")).join("");
}

export const draft = createStore<Draft>(
  { text: "", connection: "", tables: [], executor: "", review: false, spark: false, session: newSession(), asked: [] },
  "sparkwright.draft",
  (kept) => {
    if (!record(kept)) return {};
    return {
      text: typeof kept.text === "string" ? kept.text : "",
      connection: typeof kept.connection === "string" ? kept.connection : "",
      tables: strings(kept.tables),
      review: kept.review === true,
      spark: kept.spark === true,
      asked: strings(kept.asked),
      ...(typeof kept.session === "string" && kept.session !== "" ? { session: kept.session } : {}),
    };
  },
);

export const useDraft = (): Draft => useStore(draft);

/** Picks a table, or drops it. Tables of another connection stay picked: a question may join several. */
export function toggleTable(qualified: string): void {
  draft.set((d) => ({ tables: d.tables.includes(qualified) ? d.tables.filter((t) => t !== qualified) : [...d.tables, qualified] }));
}

export function pickTable(qualified: string): void {
  draft.set((d) => (d.tables.includes(qualified) ? {} : { tables: [...d.tables, qualified] }));
}

export function chooseConnection(name: string): void {
  draft.set((d) => (d.connection === name ? {} : { connection: name, tables: d.tables.filter((t) => t.startsWith(name + ".")) }));
}

/** Notes what was asked, for ↑. */
export function noteAsked(text: string): void {
  draft.set((d) => ({ asked: [text, ...d.asked.filter((t) => t !== text)].slice(0, 50), text: "" }));
}
