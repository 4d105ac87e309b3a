import { Button, CopyButton, NativeSelect, Switch } from "@mantine/core";
import { IconCheck, IconCopy, IconPencil, IconPlayerPlay } from "@tabler/icons-react";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useEffect, useMemo, useRef, useState } from "react";

import { rerunRun, revisionsQuery } from "@/api/queries";
import type { Run } from "@/api/types";
import type { RunStory } from "@/api/useRunEvents";
import { ProblemNote } from "@/shell/ProblemNote";

import classes from "./Answer.module.css";
import { Editor } from "./Editor";
import { Panel, Waiting } from "./Panel";
import { remarksOf } from "./remarks";

/** The code: every version with what changed, and an edited one run on the same route. */
export default function CodeTab({ run, story }: { run: Run; story: RunStory }) {
  const queries = useQueryClient();
  const navigate = useNavigate();
  const revisions = useQuery(revisionsQuery(run.id, run.code_hash ?? ""));
  const all = useMemo(() => revisions.data ?? [], [revisions.data]);
  const [chosen, setChosen] = useState<number | null>(null);
  const [compare, setCompare] = useState(false);
  const [edited, setEdited] = useState<string | null>(null);
  const again = useMutation({
    mutationFn: (code: string) => rerunRun(run.id, { code }, crypto.randomUUID()),
    onSuccess: (next) => {
      queries.setQueryData(["run", next.id], next);
      void queries.invalidateQueries({ queryKey: ["runs"] });
      void navigate({ to: "/runs/$runId", params: { runId: next.id } });
    },
  });

  const last = all.at(-1);
  const revision = all.find((r) => r.number === chosen) ?? last;
  const before = revision && all[all.indexOf(revision) - 1];
  const code = revision?.code ?? run.analysis ?? "";
  const remarks = useMemo(() => remarksOf(revision, run, revision === last), [revision, run, last]);

  if (code === "") {
    if (revisions.isPending && run.final) return <Waiting />;
    if (revisions.isError) return <div style={{ padding: 12 }}><ProblemNote error={revisions.error} onRetry={() => void revisions.refetch()} /></div>;
    if (story.writing !== "") return <Writing text={story.writing} />;
    return run.final ? <Panel>No code was written.</Panel> : <Waiting text="The code appears here while it is written." />;
  }
  const editing = edited !== null;
  return (
    <>
      <div className={classes.toolbar}>
        {all.length > 1 && !editing && (
          <>
            <NativeSelect
              size="xs"
              aria-label="Version"
              value={String(revision?.number ?? "")}
              onChange={(e) => setChosen(Number(e.currentTarget.value))}
              data={all.map((r) => ({ value: String(r.number), label: `version ${r.number}${r.fault ? ", failed" : ""}${r === last ? ", the last" : ""}` }))}
            />
            <Switch size="xs" label="What changed" checked={compare} onChange={(e) => setCompare(e.currentTarget.checked)} disabled={!before} />
          </>
        )}
        <span className="cut" style={{ flex: "1 1 120px" }}>
          {editing ? "Edited code is checked like any other, and runs where this one did." : (revision?.why ?? "") || by(run.generator)}
        </span>
        {editing ? (
          <>
            <Button size="compact-sm" variant="default" onClick={() => { setEdited(null); again.reset(); }}>
              Drop the changes
            </Button>
            <Button size="compact-sm" leftSection={<IconPlayerPlay size={14} aria-hidden />} loading={again.isPending} disabled={edited.trim() === "" || edited === code} onClick={() => again.mutate(edited)}>
              Run the edited code
            </Button>
          </>
        ) : (
          <>
            <CopyButton value={code} timeout={1500}>
              {({ copied, copy }) => (
                <Button size="compact-sm" variant="subtle" color="gray" onClick={copy} leftSection={copied ? <IconCheck size={15} aria-hidden /> : <IconCopy size={15} aria-hidden />}>
                  {copied ? "Copied" : "Copy"}
                </Button>
              )}
            </CopyButton>
            <Button size="compact-sm" variant="default" leftSection={<IconPencil size={15} aria-hidden />} disabled={!run.final} onClick={() => setEdited(code)}>
              Edit
            </Button>
          </>
        )}
      </div>
      {again.isError && <div style={{ padding: 12 }}><ProblemNote error={again.error} /></div>}
      <Editor
        doc={code}
        language="python"
        label={editing ? "Analysis, edited" : "Analysis"}
        remarks={remarks}
        {...(compare && before && !editing ? { before: before.code } : {})}
        {...(editing ? { onChange: setEdited, onRun: () => edited !== code && again.mutate(edited) } : {})}
      />
    </>
  );
}

function by(generator: string | undefined): string {
  if (!generator) return "";
  if (generator === "user") return "as it was given";
  return generator === "planner" ? "by the built-in planner" : `by ${generator}`;
}

/** What a model writes, as it arrives; the end of it stays in sight. */
function Writing({ text }: { text: string }) {
  const scroll = useRef<HTMLPreElement>(null);
  useEffect(() => {
    if (scroll.current) scroll.current.scrollTop = scroll.current.scrollHeight;
  }, [text]);
  return (
    <>
      <div className={classes.toolbar}>The model is writing; nothing runs before it has passed the check.</div>
      <pre ref={scroll} className={`${classes.scroll} mono`} style={{ margin: 0, padding: "12px 16px", whiteSpace: "pre-wrap" }} tabIndex={0} aria-label="What the model writes" aria-busy>
        {text}
      </pre>
    </>
  );
}
