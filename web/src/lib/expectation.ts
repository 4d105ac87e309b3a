import type { Plan } from "@/api/types";

import { bytes, duration } from "./format";

/** " · up to 177 MB, 2.6 s", as far as it is known: the question may need less than all of the tables. */
export function expectation(plan: Plan | undefined): string {
  if (!plan) return "";
  const most = [plan.bytes > 0 && bytes(plan.bytes), plan.expected.seconds > 0 && duration(plan.expected.seconds)].filter((x) => x !== false);
  const usd = plan.expected.usd ? ` · ${dollars(plan.expected.usd)}` : "";
  return (most.length > 0 ? ` · up to ${most.join(", ")}` : "") + usd;
}

/** What is not nothing is not shown as nothing. */
const dollars = (usd: number): string => (usd < 0.01 ? "under $0.01" : `~$${usd.toFixed(2)}`);
