import { Button, Loader } from "@mantine/core";
import { IconArrowRight, IconArrowUpRight, IconDatabase, IconShoppingCart } from "@tabler/icons-react";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";

import { demoQuery, startDemo, testConnection } from "@/api/desk";
import { Problem } from "@/api/problem";
import { suggestionsQuery } from "@/api/queries";
import { ConnectionForm } from "@/connections/ConnectionForm";
import { Saw } from "@/connections/Saw";
import { pageClasses } from "@/shell/Page";
import { ProblemNote } from "@/shell/ProblemNote";
import { request, useAsk } from "@/workbench/ask";
import { chooseConnection } from "@/workbench/draft";

import classes from "./FirstStart.module.css";

/** From nothing to a first answer in three steps: data, what can be seen there, a question. */
export default function FirstStart() {
  const [connection, setConnection] = useState("");
  const [seen, setSeen] = useState(false);
  const [own, setOwn] = useState(false);
  const step = connection === "" ? 1 : seen ? 3 : 2;
  return (
    <div className={classes.page}>
      <h1>Three steps to the first answer</h1>
      <ol className={classes.steps} aria-label="Steps">
        {["Choose the data", "See what can be asked", "Ask"].map((name, i) => (
          <li key={name} aria-current={step === i + 1 ? "step" : undefined} data-done={step > i + 1 || undefined}>
            <span>{i + 1}</span>
            {name}
          </li>
        ))}
      </ol>
      {step === 1 && !own && <Choose onOwn={() => setOwn(true)} onReady={setConnection} />}
      {step === 1 && own && (
        <section className={`${pageClasses.card} ${classes.box}`} aria-label="Your PostgreSQL">
          <ConnectionForm existing={null} taken={[]} onSaved={setConnection} onCancel={() => setOwn(false)} />
        </section>
      )}
      {step === 2 && <See connection={connection} onGo={() => setSeen(true)} />}
      {step === 3 && <First connection={connection} />}
    </div>
  );
}

function Choose({ onOwn, onReady }: { onOwn: () => void; onReady: (name: string) => void }) {
  const queries = useQueryClient();
  const demo = useQuery(demoQuery);
  const [wanted, setWanted] = useState(false);
  const start = useMutation({
    mutationFn: startDemo,
    onMutate: () => setWanted(true),
    onSuccess: (state) => queries.setQueryData(demoQuery.queryKey, state),
  });
  const state = demo.data?.state;
  const name = demo.data?.connection ?? "";
  useEffect(() => {
    if (!wanted || state !== "ready") return;
    void queries.invalidateQueries({ queryKey: ["connections"] }).then(() => onReady(name));
  }, [wanted, state, name, queries, onReady]);
  const problem = demo.data?.problem;
  const busy = state === "starting" || start.isPending;
  return (
    <div className={classes.two}>
      <section className={`${pageClasses.card} ${classes.box}`} aria-label="Demo data">
        <IconShoppingCart size={24} stroke={1.5} aria-hidden />
        <h2>Use the demo data</h2>
        <p>A shop with customers, orders and payments, in a PostgreSQL of its own on this machine. Nothing is sent anywhere.</p>
        <div aria-live="polite">
          {busy && <p className={classes.busy}><Loader size={14} aria-hidden /> {demo.data?.step || "Starting"}…</p>}
          {start.isError && <ProblemNote error={start.error} />}
          {state === "failed" && problem && <ProblemNote error={new Problem({ title: problem.title, code: problem.code, because: problem.cause ?? "", remedy: problem.remedy ?? "" })} />}
        </div>
        <Button onClick={() => start.mutate()} loading={busy}>Use the demo data</Button>
      </section>
      <section className={`${pageClasses.card} ${classes.box}`} aria-label="Your own database">
        <IconDatabase size={24} stroke={1.5} aria-hidden />
        <h2>Connect your PostgreSQL</h2>
        <p>Paste its URL. You see what the login can do, and are warned when it can write: one that can only read is enough.</p>
        <Button variant="default" onClick={onOwn} disabled={busy}>Connect your PostgreSQL</Button>
      </section>
    </div>
  );
}

function See({ connection, onGo }: { connection: string; onGo: () => void }) {
  const seen = useQuery({ queryKey: ["connections", connection, "test"], queryFn: () => testConnection(connection), retry: false });
  return (
    <section className={`${pageClasses.card} ${classes.box}`} aria-label="What can be seen">
      <h2 dir="auto">{connection}</h2>
      <div aria-live="polite">
        {seen.isPending && <p className={classes.busy}><Loader size={14} aria-hidden /> Logging in…</p>}
        {seen.isError && <ProblemNote error={seen.error} onRetry={() => void seen.refetch()} />}
        {seen.data && <Saw test={seen.data} />}
      </div>
      <Button rightSection={<IconArrowRight size={16} aria-hidden />} disabled={!seen.data?.ok} onClick={onGo}>
        Go on to a question
      </Button>
    </section>
  );
}

function First({ connection }: { connection: string }) {
  const ask = useAsk();
  const suggestions = useQuery(suggestionsQuery(connection, [], 3));
  useEffect(() => chooseConnection(connection), [connection]);
  return (
    <section className={`${pageClasses.card} ${classes.box}`} aria-label="A first question">
      <h2>Ask one of these, made from the tables that are there</h2>
      {suggestions.isPending && <p className={classes.busy}><Loader size={14} aria-hidden /> Looking at the tables…</p>}
      {suggestions.isError && <ProblemNote error={suggestions.error} onRetry={() => void suggestions.refetch()} />}
      {ask.isError && <ProblemNote error={ask.error} />}
      <div className={classes.questions}>
        {(suggestions.data ?? []).map((s) => (
          <Button key={s.question} variant="default" fw={400} justify="flex-start" leftSection={<IconArrowUpRight size={15} aria-hidden />} disabled={ask.isPending}
            onClick={() => ask.mutate({ ...request(s.question), connection })} styles={{ root: { height: "auto", minHeight: 40, paddingBlock: 8 }, label: { whiteSpace: "normal", textAlign: "left" } }}>
            {s.question}
          </Button>
        ))}
      </div>
      {suggestions.data?.length === 0 && <p>No question could be made from the tables. Ask in your own words, on the page Ask.</p>}
    </section>
  );
}
