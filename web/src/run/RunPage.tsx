import { ActionIcon, Button, Menu, Modal, Skeleton, Tooltip } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { IconDots, IconLink, IconPinned, IconPinnedFilled, IconPlayerStop, IconRefresh, IconSparkles } from "@tabler/icons-react";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate, useParams } from "@tanstack/react-router";
import { useCallback, useEffect, useMemo, useState } from "react";

import { asProblem } from "@/api/problem";
import { cancelRun, pinRun, rerunRun, runQuery } from "@/api/queries";
import type { Run } from "@/api/types";
import { useRunEvents } from "@/api/useRunEvents";
import { Answer } from "@/answer/Answer";
import { day, timeOfDay } from "@/lib/format";
import { typing } from "@/shell/keys";
import { ProblemNote, sentence } from "@/shell/ProblemNote";
import { executorName, paid } from "@/workbench/Engine";
import { Composer } from "@/workbench/Composer";

import { Approval } from "./Approval";
import { DeclinedNote } from "./DeclinedNote";
import { FaultNote } from "./FaultNote";
import classes from "./RunPage.module.css";
import { State } from "./State";
import { Steps } from "./Steps";

/** One run: what was asked, how far it is, and what came of it. Its id is in the URL, so a reload loses nothing. */
export function RunPage() {
  const { runId } = useParams({ from: "/workbench/runs/$runId" });
  return <OneRun key={runId} id={runId} />;
}

function OneRun({ id }: { id: string }) {
  const story = useRunEvents(id);
  const run = useQuery({
    ...runQuery(id),
    // The events say when to look again; without them the run is looked at now and then.
    refetchInterval: (q) => (q.state.data?.final || story.stream === "open" ? false : 3_000),
  });
  const cancel = useCancel(id);
  const r = run.data;
  const going = r !== undefined && !r.final;
  const [asking, setAsking] = useState(false);
  const costs = r !== undefined && paid(r.placement.executor);
  const stop = useCallback(() => (costs ? setAsking(true) : cancel.mutate()), [costs, cancel]);

  useEffect(() => {
    if (!going) return;
    const onKey = (e: KeyboardEvent) => {
      if (e.key !== "Escape" || e.defaultPrevented || document.querySelector('[role="dialog"]')) return;
      if (typing(e.target) && e.target instanceof HTMLTextAreaElement && e.target.value !== "") return;
      stop();
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, [going, stop]);

  if (run.isError && !r) {
    return (
      <div className={classes.pad}>
        <ProblemNote error={run.error} onRetry={() => void run.refetch()} />
      </div>
    );
  }
  if (!r) {
    return (
      <div className={classes.pad} aria-busy>
        <Skeleton height={28} width="60%" />
        <Skeleton height={16} width="30%" mt={12} />
        <Skeleton height={320} mt={24} />
      </div>
    );
  }
  return (
    <article className={classes.page} aria-label="Run">
      <header className={classes.head}>
        <div className={classes.title}>
          <h1 className={classes.question} dir="auto">
            {r.question.text || "Analysis code"}
          </h1>
          <div className={classes.actions}>
            {going ? (
              <Button variant="default" leftSection={<IconPlayerStop size={15} aria-hidden />} loading={cancel.isPending} onClick={stop}>
                Cancel
                <span aria-hidden className="hint" style={{ marginLeft: 8 }}><kbd>Esc</kbd></span>
              </Button>
            ) : (
              <Actions run={r} />
            )}
          </div>
        </div>
        <div className={classes.meta}>
          <span role="status" style={{ display: "inline-flex" }}>
            <State state={r.state} />
          </span>
          <time dateTime={r.created_at} className="tabular">
            {sentence(day(r.created_at))}, {timeOfDay(r.created_at)}
          </time>
          {r.placement.executor && (
            <Tooltip label={r.placement.reason} multiline maw={360} disabled={!r.placement.reason}>
              <span tabIndex={r.placement.reason ? 0 : undefined}>{executorName(r.placement.executor)}</span>
            </Tooltip>
          )}
          {r.generator === "user" && r.question.text !== "" && <span>edited code</span>}
          {r.parent && (
            <Link to="/runs/$runId" params={{ runId: r.parent }} style={{ color: "inherit" }}>
              after an earlier run
            </Link>
          )}
          {story.stream === "offline" && going && <span>The connection is lost; the run goes on. Connecting again…</span>}
        </div>
      </header>
      <Modal opened={asking && going} onClose={() => setAsking(false)} title="Cancel this run?" size="sm" closeButtonProps={{ "aria-label": "Close" }}>
        <p style={{ marginTop: 0 }}>It runs on {executorName(r.placement.executor)}. What it has cost so far is spent, and there will be no rows.</p>
        <div style={{ display: "flex", gap: 8, justifyContent: "flex-end" }}>
          <Button variant="default" onClick={() => setAsking(false)}>Let it run</Button>
          <Button
            color="red"
            onClick={() => {
              setAsking(false);
              cancel.mutate();
            }}
          >
            Cancel the run
          </Button>
        </div>
      </Modal>
      <Steps run={r} story={story} />
      {r.state === "awaiting_approval" && <Approval run={r} />}
      {r.declined && (
        <div className={classes.pad}>
          <DeclinedNote run={r} declined={r.declined} />
        </div>
      )}
      {r.fault && r.state !== "cancelled" && (
        <div className={classes.pad} style={{ paddingBottom: 0 }}>
          <FaultNote fault={r.fault} runId={r.id} />
        </div>
      )}
      {!r.declined && (
        <div className={classes.body}>
          <Answer run={r} story={story} />
        </div>
      )}
      {going && <footer className={`${classes.foot} ${classes.kept}`}>A follow-up can be asked when the run has ended.</footer>}
      {r.final && (
        <footer className={classes.foot}>
          <Composer after={r} rows={1} placeholder={r.state === "succeeded" ? "Follow up: the same by month, only Germany…" : "Ask it another way…"} />
        </footer>
      )}
    </article>
  );
}

function useCancel(id: string) {
  const queries = useQueryClient();
  const mutation = useMutation({
    mutationFn: () => cancelRun(id),
    onSuccess: (run) => {
      queries.setQueryData(["run", id], run);
      void queries.invalidateQueries({ queryKey: ["runs"] });
    },
    onError: (e) => notifications.show({ color: "red", title: "Not cancelled", message: sentence(asProblem(e).message) }),
  });
  const { mutate, isPending } = mutation;
  return useMemo(() => ({ mutate: () => mutate(), isPending }), [mutate, isPending]);
}

/** What can be done with a run that has ended. */
function Actions({ run }: { run: Run }) {
  const queries = useQueryClient();
  const navigate = useNavigate();
  const pin = useMutation({
    mutationFn: () => pinRun(run.id, !run.pinned),
    onSuccess: (next) => {
      queries.setQueryData(["run", run.id], next);
      void queries.invalidateQueries({ queryKey: ["runs"] });
    },
  });
  const again = useMutation({
    mutationFn: (regenerate: boolean) => rerunRun(run.id, regenerate ? { regenerate } : {}, crypto.randomUUID()),
    onSuccess: (next) => {
      queries.setQueryData(["run", next.id], next);
      void queries.invalidateQueries({ queryKey: ["runs"] });
      void navigate({ to: "/runs/$runId", params: { runId: next.id } });
    },
    onError: (e) => notifications.show({ color: "red", title: "Not run again", message: sentence(asProblem(e).message) }),
  });
  const pinWord = run.pinned ? "Pinned: kept for good. Unpin" : "Pin: keep it for good";
  return (
    <>
      <Tooltip label={pinWord}>
        <ActionIcon size="lg" aria-label={pinWord} aria-pressed={run.pinned} loading={pin.isPending} onClick={() => pin.mutate()}>
          {run.pinned ? <IconPinnedFilled size={18} /> : <IconPinned size={18} stroke={1.75} />}
        </ActionIcon>
      </Tooltip>
      <Button variant="default" leftSection={<IconRefresh size={15} aria-hidden />} loading={again.isPending} onClick={() => again.mutate(false)} disabled={!run.analysis}>
        Run again
      </Button>
      <Menu position="bottom-end">
        <Menu.Target>
          <ActionIcon size="lg" aria-label="More">
            <IconDots size={18} />
          </ActionIcon>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Item leftSection={<IconSparkles size={16} aria-hidden />} disabled={run.question.text === ""} onClick={() => again.mutate(true)}>
            Ask anew, with fresh code
          </Menu.Item>
          <Menu.Item
            leftSection={<IconLink size={16} aria-hidden />}
            onClick={() => void navigator.clipboard.writeText(window.location.href).then(() => notifications.show({ message: "The link is copied." }))}
          >
            Copy the link
          </Menu.Item>
        </Menu.Dropdown>
      </Menu>
    </>
  );
}
