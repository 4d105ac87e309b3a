import type { Revision, Run } from "@/api/types";

import type { Remark } from "./editor";

/** What is to be said of single lines of a revision: its fault, and what the lint found in the last one. */
export function remarksOf(revision: Revision | undefined, run: Run, last: boolean): Remark[] {
  const out: Remark[] = [];
  const fault = revision?.fault ?? (last && run.fault?.kind === "code" ? run.fault : undefined);
  if (fault) out.push({ line: fault.line || 1, message: [fault.message, fault.because, fault.remedy].filter(Boolean).join("\n"), severity: "error" });
  if (last) for (const f of run.findings ?? []) out.push({ line: f.line || 1, message: f.message, severity: "warning" });
  return out;
}
