import { Button, Group, TextInput } from "@mantine/core";
import { IconCheck, IconHandStop, IconX } from "@tabler/icons-react";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";

import { decideRun } from "@/api/desk";
import type { Run } from "@/api/types";
import { bytes, count, duration, plural } from "@/lib/format";
import { ProblemNote } from "@/shell/ProblemNote";
import { executorName } from "@/workbench/Engine";

import classes from "./Approval.module.css";

/** A run that waits for somebody: what would run, where, on what; and the decision, which names the code that was seen. */
export function Approval({ run: r }: { run: Run }) {
  const queries = useQueryClient();
  const [why, setWhy] = useState("");
  const decide = useMutation({
    mutationFn: (approve: boolean) => decideRun(r.id, approve, r.code_hash ?? "", why.trim()),
    onSuccess: (next) => {
      queries.setQueryData(["run", r.id], next);
      void queries.invalidateQueries({ queryKey: ["runs"] });
    },
    // Somebody else has decided, or the code is another one now: what is shown is old.
    onError: () => void queries.invalidateQueries({ queryKey: ["run", r.id] }),
  });
  const expected = r.receipt?.expected;
  const views = r.views ?? [];
  return (
    <section className={classes.note} aria-label="Approval">
      <h2 className={classes.title}>
        <IconHandStop size={18} aria-hidden />
        Nothing has run yet. Look at the code below, then decide.
      </h2>
      <ul className={classes.facts}>
        <li>It would run on {executorName(r.placement.executor)}{r.placement.reason ? `: ${r.placement.reason}` : ""}.</li>
        {views.length > 0 && (
          <li>
            It reads {views.map((v) => `${v.table} (${v.row_estimate < 0 ? "rows not counted" : plural(0, "row").replace("0", count(v.row_estimate))}, ${bytes(v.bytes)})`).join(" · ")}.
          </li>
        )}
        {expected && expected.seconds > 0 && <li>It may take about {duration(expected.seconds)}{expected.usd ? ` and cost $${expected.usd.toFixed(2)}` : ""}.</li>}
        <li>The approval is for this code only (<span className="mono">{(r.code_hash ?? "").slice(0, 12)}</span>): code that changes needs another one.</li>
      </ul>
      {decide.isError && <ProblemNote error={decide.error} />}
      <Group gap="xs" align="flex-end">
        <TextInput className={classes.why} label="Remark" description="Kept with the run." value={why} maxLength={1000} onChange={(e) => setWhy(e.currentTarget.value)} />
        <Button variant="default" leftSection={<IconX size={16} aria-hidden />} disabled={decide.isPending} onClick={() => decide.mutate(false)}>
          Reject
        </Button>
        <Button leftSection={<IconCheck size={16} aria-hidden />} loading={decide.isPending} disabled={!r.code_hash} onClick={() => decide.mutate(true)}>
          Approve and run
        </Button>
      </Group>
    </section>
  );
}
