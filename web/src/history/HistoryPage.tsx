import { ActionIcon, Button, Checkbox, Chip, NativeSelect, TextInput, Tooltip } from "@mantine/core";
import { useDebouncedCallback } from "@mantine/hooks";
import { notifications } from "@mantine/notifications";
import { IconArrowsDiff, IconPinned, IconPinnedFilled, IconRefresh, IconSearch } from "@tabler/icons-react";
import { useInfiniteQuery, useMutation, useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { useState } from "react";

import { historyQuery } from "@/api/desk";
import { asProblem } from "@/api/problem";
import { pinRun, rerunRun } from "@/api/queries";
import type { RunState, Summary } from "@/api/types";
import { day, duration, plural, timeOfDay } from "@/lib/format";
import { State } from "@/run/State";
import { filterMark } from "@/shell/keys";
import { ListWaiting, Page, pageClasses } from "@/shell/Page";
import { headline } from "@/lib/headline";
import { ProblemNote, sentence } from "@/shell/ProblemNote";
import { executorName } from "@/workbench/Engine";

import classes from "./History.module.css";
import { states } from "./search";

/** Every run: found by words, kept by a pin, run again, and two of them compared. */
export function HistoryPage() {
  const search = useSearch({ from: "/history" });
  const navigate = useNavigate();
  const q = search.q ?? "";
  const state: RunState | "" = search.state ?? "";
  const pinned = search.pinned ?? false;
  const [typed, setTyped] = useState(q);
  const [marked, setMarked] = useState<readonly string[]>([]);
  const runs = useInfiniteQuery({
    ...historyQuery({ q, state, pinned }),
    refetchInterval: (query) => (query.state.data?.pages.some((p) => p.runs?.some((r) => !r.final)) ? 3_000 : false),
  });
  const list = runs.data?.pages.flatMap((p) => p.runs ?? []) ?? [];
  const look = (next: { q?: string; state?: RunState | ""; pinned?: boolean }) => {
    const to: { q: string; state: RunState | ""; pinned: boolean } = { q, state, pinned, ...next };
    void navigate({
      to: "/history",
      search: { ...(to.q ? { q: to.q } : {}), ...(to.state ? { state: to.state } : {}), ...(to.pinned ? { pinned: true } : {}) },
      replace: true,
    });
  };
  const later = useDebouncedCallback((text: string) => look({ q: text.trim() }), 250);
  const mark = (id: string) => setMarked((m) => (m.includes(id) ? m.filter((x) => x !== id) : [...m.slice(-1), id]));
  const [first, second] = marked;
  const looking = q !== "" || state !== "" || pinned;

  return (
    <Page title="History" lead="What was asked, with its code, rows and receipt. A pin keeps a run when others are cleared away.">
      <div className={pageClasses.bar} role="search">
        <TextInput
          {...filterMark}
          className={classes.search}
          leftSection={<IconSearch size={15} aria-hidden />}
          placeholder="Words of the question, or a run's id"
          aria-label="Find runs"
          value={typed}
          onChange={(e) => {
            setTyped(e.currentTarget.value);
            later(e.currentTarget.value);
          }}
        />
        <NativeSelect
          aria-label="State"
          value={state}
          onChange={(e) => look({ state: states.find((s) => s === e.currentTarget.value) ?? "" })}
          data={[{ value: "", label: "every state" }, ...states.map((s) => ({ value: s, label: s.replace("_", " ") }))]}
        />
        <Chip checked={pinned} onChange={(on) => look({ pinned: on })} variant="outline">
          Pinned
        </Chip>
      </div>
      {runs.isPending && <ListWaiting />}
      {runs.isError && list.length === 0 && <ProblemNote error={runs.error} onRetry={() => void runs.refetch()} />}
      {runs.data && list.length === 0 && (
        <div className={`${pageClasses.card} ${pageClasses.empty}`}>
          {looking ? "No run fits that." : <>Nothing has been asked yet. <Link to="/ask">Ask the first question</Link>.</>}
        </div>
      )}
      {list.length > 0 && (
        <ol className={`${pageClasses.card} ${classes.list}`} aria-label="Runs">
          {list.map((r) => (
            <Entry key={r.id} run={r} marked={marked.includes(r.id)} onMark={() => mark(r.id)} />
          ))}
        </ol>
      )}
      {runs.hasNextPage && (
        <Button variant="default" mt="sm" fullWidth loading={runs.isFetchingNextPage} onClick={() => void runs.fetchNextPage()}>
          Earlier runs
        </Button>
      )}
      {marked.length > 0 && (
        <div className={classes.compare} role="status">
          <span>{marked.length === 1 ? "Mark another run to compare it with." : "Two runs are marked."}</span>
          <Button size="compact-sm" variant="subtle" color="gray" onClick={() => setMarked([])}>
            Unmark
          </Button>
          <Button
            size="compact-md"
            leftSection={<IconArrowsDiff size={16} aria-hidden />}
            disabled={!second}
            onClick={() => first && second && void navigate({ to: "/compare/$a/$b", params: { a: first, b: second } })}
          >
            Compare
          </Button>
        </div>
      )}
    </Page>
  );
}

function Entry({ run: r, marked, onMark }: { run: Summary; marked: boolean; onMark: () => void }) {
  const queries = useQueryClient();
  const navigate = useNavigate();
  const title = r.question.text || "Analysis code";
  const pin = useMutation({
    mutationFn: () => pinRun(r.id, !r.pinned),
    onSuccess: (next) => {
      queries.setQueryData(["run", r.id], next);
      return queries.invalidateQueries({ queryKey: ["runs"] });
    },
    onError: (e) => notifications.show({ color: "red", title: "Not pinned", message: sentence(asProblem(e).message) }),
  });
  const again = useMutation({
    mutationFn: () => rerunRun(r.id, {}, crypto.randomUUID()),
    onSuccess: (next) => {
      queries.setQueryData(["run", next.id], next);
      void queries.invalidateQueries({ queryKey: ["runs"] });
      void navigate({ to: "/runs/$runId", params: { runId: next.id } });
    },
    onError: (e) => notifications.show({ color: "red", title: "Not run again", message: sentence(asProblem(e).message) }),
  });
  const seconds = r.finished_at ? (Date.parse(r.finished_at) - Date.parse(r.created_at)) / 1000 : -1;
  const facts = [
    `${sentence(day(r.created_at))}, ${timeOfDay(r.created_at)}`,
    r.executor ? executorName(r.executor) : "",
    r.generator === "user" && r.question.text !== "" ? "edited code" : "",
    seconds >= 0 ? duration(seconds) : "",
    r.row_count === undefined ? "" : plural(r.row_count, "row"),
    r.repairs > 0 ? `repaired ${r.repairs === 1 ? "once" : `${r.repairs} times`}` : "",
    r.user ?? "",
  ].filter(Boolean);
  const pinWord = r.pinned ? "Unpin" : "Pin: keep it for good";
  return (
    <li className={classes.entry} data-marked={marked || undefined}>
      <Checkbox size="sm" checked={marked} onChange={onMark} disabled={r.state !== "succeeded"} aria-label={`Mark for comparing: ${title}`} />
      <div className={classes.what}>
        <Link to="/runs/$runId" params={{ runId: r.id }} className={classes.question} dir="auto">
          {title}
        </Link>
        {(r.fault ?? r.understood) && (
          <div className={classes.understood} dir="auto">
            {r.fault ? sentence(headline(r.fault)) : r.understood}
          </div>
        )}
        <div className={`${classes.facts} tabular`}>
          <State state={r.state} />
          {facts.map((f) => (
            <span key={f}>{f}</span>
          ))}
        </div>
      </div>
      <div className={classes.do}>
        <Tooltip label={pinWord}>
          <ActionIcon aria-label={`${pinWord}: ${title}`} aria-pressed={r.pinned} loading={pin.isPending} onClick={() => pin.mutate()}>
            {r.pinned ? <IconPinnedFilled size={17} /> : <IconPinned size={17} stroke={1.75} />}
          </ActionIcon>
        </Tooltip>
        <Tooltip label="Run again">
          <ActionIcon aria-label={`Run again: ${title}`} loading={again.isPending} disabled={!r.final} onClick={() => again.mutate()}>
            <IconRefresh size={17} stroke={1.75} />
          </ActionIcon>
        </Tooltip>
      </div>
    </li>
  );
}
