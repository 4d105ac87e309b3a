import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";

import { createRun } from "@/api/queries";
import type { NewRun, Run } from "@/api/types";

import { draft, noteAsked } from "./draft";

/** What the draft asks for, with this text. */
export function request(text: string, parent?: string): NewRun {
  const d = draft.get();
  return {
    question: text,
    ...(d.connection ? { connection: d.connection } : {}),
    ...(d.tables.length > 0 ? { tables: d.tables } : {}),
    ...(d.executor ? { executor: d.executor } : {}),
    ...(d.review ? { review: true } : {}),
    ...(parent ? { parent } : {}),
    session: d.session,
  };
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
