import type { DoctorFinding, DoctorReport } from "@/api/desk";
import { plural } from "@/lib/format";

const order: Record<DoctorFinding["level"], number> = { fail: 0, warn: 1, ok: 2, skipped: 3 };

/** Findings by group, those that matter first: groups and findings by their worst level, else in the doctor's order. */
export function groups(findings: readonly DoctorFinding[], withSkipped: boolean): [string, DoctorFinding[]][] {
  const by = new Map<string, DoctorFinding[]>();
  for (const f of findings) {
    if (f.level === "skipped" && !withSkipped) continue;
    by.set(f.group, [...(by.get(f.group) ?? []), f]);
  }
  const worst = (list: readonly DoctorFinding[]) => Math.min(...list.map((f) => order[f.level]));
  return [...by]
    .map(([name, list]): [string, DoctorFinding[]] => [name, [...list].sort((a, b) => order[a.level] - order[b.level])])
    .sort((a, b) => worst(a[1]) - worst(b[1]));
}

/** The report in one sentence. */
export function verdict(r: Pick<DoctorReport, "findings">): string {
  const n = (level: DoctorFinding["level"]) => (r.findings ?? []).filter((f) => f.level === level).length;
  const fails = n("fail");
  const warns = n("warn");
  if (fails > 0) return `${plural(fails, "check")} ${fails === 1 ? "fails" : "fail"}${warns > 0 ? `, ${plural(warns, "warning")}` : ""}.`;
  if (warns > 0) return `Nothing fails; ${plural(warns, "warning")}.`;
  return "Everything that was looked at is fine.";
}
