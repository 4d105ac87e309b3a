import { useRouter, type ErrorComponentProps } from "@tanstack/react-router";

import { Problem } from "@/api/problem";

import { ProblemNote } from "./ProblemNote";

/** What is shown instead of a page that cannot be shown: a part that was not loaded, or a defect of ours. */
export function PageFault({ error, reset }: ErrorComponentProps) {
  const router = useRouter();
  const unloaded = /dynamically imported module|Importing a module script failed|error loading/i.test(error instanceof Error ? error.message : "");
  const problem =
    error instanceof Problem
      ? error
      : unloaded
        ? new Problem({ title: "a part of the page was not loaded", code: "offline", because: "the server was not reached, or it has been replaced by a newer one", remedy: "load the page anew; runs go on meanwhile" })
        : new Problem({ title: "a defect of the page stopped this view", code: "internal", remedy: "load the page anew; if it happens again, please report it with the address of the page" });
  return (
    <div style={{ maxWidth: 640, margin: "48px auto", padding: "0 16px" }}>
      <ProblemNote
        error={problem}
        onRetry={() => {
          if (unloaded) return window.location.reload();
          reset();
          void router.invalidate();
        }}
      />
    </div>
  );
}
