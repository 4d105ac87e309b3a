import { Skeleton, Title } from "@mantine/core";
import { IconArrowUpRight } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { lazy, Suspense, useState } from "react";

import { connectionsQuery } from "@/api/queries";

import classes from "./AskPage.module.css";
import { Composer } from "./Composer";
import { draft, useDraft } from "./draft";
import { useExamples } from "./useExamples";

const FirstStart = lazy(() => import("@/start/FirstStart"));

/** Nothing but the question, and some that the schema can answer. */
export function AskPage() {
  const d = useDraft();
  const connections = useQuery(connectionsQuery);
  const examples = useExamples(d.connection, d.tables);
  // The guide stays until its last step, also when there is a connection meanwhile.
  const [guided, setGuided] = useState(false);
  if (connections.data?.length === 0 && !guided) setGuided(true);
  if (guided) {
    return (
      <Suspense fallback={<Skeleton height={320} m="xl" />}>
        <FirstStart />
      </Suspense>
    );
  }
  return (
    <div className={classes.page}>
      <Title order={1} className={classes.title}>
        {d.connection ? <>What do you want to know about <span dir="auto">{d.connection}</span>?</> : "What do you want to know?"}
      </Title>
      <Composer placeholder={d.connection ? `Ask about ${d.connection}…` : "Ask in plain English…"} rows={3} autoFocus />
      {examples.length > 0 && (
        <section className={classes.examples} aria-label="Questions that can be answered">
          {examples.map((e) => (
            <button
              key={e}
              type="button"
              className={classes.example}
              onClick={() => {
                draft.set({ text: e });
                document.getElementById("question")?.focus();
              }}
            >
              <IconArrowUpRight size={16} aria-hidden />
              <span dir="auto">{e}</span>
            </button>
          ))}
        </section>
      )}
    </div>
  );
}
