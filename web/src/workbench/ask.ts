import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";

import { createRun } from "@/api/queries";
import type { NewRun, Run } from "@/api/types";

import { draft, noteAsked } from "./draft";

/** What the draft asks for, with this text. */
export function request(text: string): NewRun {
  const d = draft.get();
  return { ...asked(text, d.connection, d.tables), ...how() };
}

/**
 * A question about what a run was about: a follow-up, when the run is its parent, or the same once more in other
 * words. Tables that are picked besides are added, unless the whole connection is asked anyway.
 */
export function requestAfter(run: Pick<Run, "id" | "question" | "parent" | "state">, text: string, picked: readonly string[] = []): NewRun {
  const tables = run.question.tables ?? [];
  const all = tables.length > 0 ? [...new Set([...tables, ...picked])] : [];
  // What was declined has no answer to follow up; what it followed up itself has.
  const parent = run.state === "declined" ? run.parent : run.id;
  return { ...asked(text, run.question.connection ?? "", all), ...how(), ...(parent ? { parent } : {}) };
}

function asked(question: string, connection: string, tables: readonly string[]): NewRun {
  return { question, ...(connection ? { connection } : {}), ...(tables.length > 0 ? { tables: [...tables] } : {}) };
}

function how(): NewRun {
  const d = draft.get();
  return { ...(d.executor ? { executor: d.executor } : {}), ...(d.review ? { review: true } : {}), ...(d.spark ? { engine: "spark" } : {}), session: d.session };
}

/** Asks, and goes to the run as soon as it is on disk. */
export function useAsk() {
  const queries = useQueryClient();
  const navigate = useNavigate();
  return useMutation({
    mutationFn: (req: NewRun): Promise<Run> => createRun(req, crypto.randomUUID()),
    onSuccess: (run, req) => {
      if (req.question) noteAsked(req.question);
      queries.setQueryData(["run", run.id], run);
      void queries.invalidateQueries({ queryKey: ["runs"] });
      void navigate({ to: "/runs/$runId", params: { runId: run.id } });
    },
  });
}
