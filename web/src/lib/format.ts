/** Formats for people. Numbers of results stay text: see cells.ts. */

const units = ["B", "kB", "MB", "GB", "TB", "PB"] as const;

/** 1234567 → "1.2 MB"; negative = not known. */
export function bytes(n: number): string {
  if (n < 0 || !Number.isFinite(n)) return "size not known";
  let unit = 0;
  let value = n;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${short(value, unit === 0)} ${units[unit] ?? ""}`;
}

/** 1234567 → "1.2 M"; negative = never counted. */
export function count(n: number): string {
  if (n < 0 || !Number.isFinite(n)) return "not counted";
  const steps: readonly [number, string][] = [[1e9, "G"], [1e6, "M"], [1e3, "k"]];
  for (const [size, unit] of steps) {
    if (n >= size * 0.9995) return `${short(n / size, false)} ${unit}`;
  }
  return String(n);
}

function short(value: number, whole: boolean): string {
  if (whole || value >= 99.5) return String(Math.round(value));
  return value >= 9.95 ? value.toFixed(0) : value.toFixed(1).replace(/\.0$/, "");
}

/** Whole numbers with groups: 48213 → "48,213". */
export function whole(n: number): string {
  return groups(String(n));
}

/** "1 row", "2 rows" */
export function plural(n: number, one: string, many = one + "s"): string {
  return `${whole(n)} ${n === 1 ? one : many}`;
}

/** Groups the digits before the point, and changes no digit: "-1234567.80" → "-1,234,567.80". */
export function groups(number: string): string {
  const m = /^([+-]?)(\d+)(\.\d+)?$/.exec(number);
  if (!m) return number; // 1.5E10, NaN, Infinity
  const [, sign = "", digits = "", rest = ""] = m;
  return sign + digits.replace(/\B(?=(\d{3})+$)/g, ",") + rest;
}

/** 0.042 → "42 ms", 1.34 → "1.3 s", 75 → "1 min 15 s" */
export function duration(seconds: number): string {
  if (!Number.isFinite(seconds) || seconds < 0) return "";
  if (seconds < 0.0005) return "0 s";
  if (seconds < 0.9995) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  if (seconds < 59.5) return `${Math.round(seconds)} s`;
  const total = Math.round(seconds);
  if (total < 3600) return `${Math.floor(total / 60)} min ${total % 60} s`;
  return `${Math.floor(total / 3600)} h ${Math.floor((total % 3600) / 60)} min`;
}

/** 14:03:22 UTC: databases and runs are in UTC. */
export function clockUTC(iso: string): string {
  const d = new Date(iso);
  return Number.isNaN(d.getTime()) ? "" : `${d.toISOString().slice(11, 19)} UTC`;
}

/** "today", "yesterday", "12 March" or "12 March 2024", by the reader's own calendar. */
export function day(iso: string, now = new Date()): string {
  const d = new Date(iso);
  const midnight = (x: Date) => new Date(x.getFullYear(), x.getMonth(), x.getDate()).getTime();
  const days = Math.round((midnight(now) - midnight(d)) / 86_400_000);
  if (days <= 0) return "today";
  if (days === 1) return "yesterday";
  const year = d.getFullYear() === now.getFullYear() ? {} : { year: "numeric" as const };
  return d.toLocaleDateString("en-GB", { day: "numeric", month: "long", ...year });
}

/** 14:03 by the reader's clock. */
export function timeOfDay(iso: string): string {
  return new Date(iso).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
}

/** What comes last of "connection.schema.table". */
export function tableName(qualified: string): string {
  return qualified.slice(qualified.lastIndexOf(".") + 1);
}
