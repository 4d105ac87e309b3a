import { ActionIcon, Skeleton, Tooltip } from "@mantine/core";
import { IconPencilPlus } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";

import { recentQuery } from "@/api/queries";
import type { Summary } from "@/api/types";
import { day, plural, timeOfDay } from "@/lib/format";
import { State } from "@/run/State";
import { ProblemNote } from "@/shell/ProblemNote";

import classes from "./Recent.module.css";

/** The newest runs by day; those that go on are looked at now and then. */
export function Recent({ bare }: { bare?: boolean }) {
  const runs = useQuery({
    ...recentQuery,
    refetchInterval: (q) => (q.state.data?.some((r) => !r.final) ? 3_000 : 30_000),
  });
  return (
    <>
      {!bare && (
        <div className={classes.head}>
          <h2 style={{ font: "inherit", margin: 0 }}>Recent runs</h2>
          <Tooltip label="New question">
            <ActionIcon component={Link} to="/ask" aria-label="New question">
              <IconPencilPlus size={18} stroke={1.75} />
            </ActionIcon>
          </Tooltip>
        </div>
      )}
      {runs.isPending && (
        <div className={classes.list} aria-busy>
          {[0, 1, 2, 3].map((i) => (
            <Skeleton key={i} height={34} mt={8} />
          ))}
        </div>
      )}
      {runs.isError && !runs.data && (
        <div className={classes.list}>
          <ProblemNote error={runs.error} onRetry={() => void runs.refetch()} />
        </div>
      )}
      {runs.data?.length === 0 && <p className={classes.empty}>Nothing has been asked yet. What you ask is kept here.</p>}
      {runs.data && runs.data.length > 0 && (
        <div className={classes.list}>
          {byDay(runs.data).map(([name, list]) => (
            <section key={name} aria-label={name}>
              <div className={classes.day}>{name}</div>
              {list.map((r) => (
                <Link key={r.id} to="/runs/$runId" params={{ runId: r.id }} className={classes.item}>
                  <State state={r.state} iconOnly />
                  <span>
                    <span className={classes.question} dir="auto">
                      {r.question.text || "Analysis code"}
                    </span>
                    <span className={`${classes.more} tabular`}>
                      {timeOfDay(r.created_at)}
                      {r.generator === "user" && r.question.text !== "" && " · edited code"}
                      {r.row_count !== undefined && ` · ${plural(r.row_count, "row")}`}
                    </span>
                  </span>
                </Link>
              ))}
            </section>
          ))}
        </div>
      )}
    </>
  );
}

function byDay(runs: Summary[]): [string, Summary[]][] {
  const out = new Map<string, Summary[]>();
  for (const r of runs) {
    const name = day(r.created_at);
    out.set(name, [...(out.get(name) ?? []), r]);
  }
  return [...out];
}
