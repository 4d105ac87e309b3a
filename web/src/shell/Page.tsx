import { Skeleton, Title } from "@mantine/core";
import type { ReactNode } from "react";

import classes from "./Page.module.css";

/** A page beside the workbench: its title, one sentence of what it is for, and what can be done. */
export function Page({ title, lead, actions, children }: { title: string; lead?: ReactNode; actions?: ReactNode; children: ReactNode }) {
  return (
    <div className={classes.page}>
      <div className={classes.head}>
        <div>
          <Title order={1} className={classes.title}>
            {title}
          </Title>
          {lead && <p className={classes.lead}>{lead}</p>}
        </div>
        {actions && <div className={classes.actions}>{actions}</div>}
      </div>
      {children}
    </div>
  );
}

/** Keeps the place of a list that is on its way. */
export function ListWaiting({ rows = 5, height = 56 }: { rows?: number; height?: number }) {
  return (
    <div aria-busy role="status">
      <span className="visually-hidden">Loading</span>
      {Array.from({ length: rows }, (_, i) => (
        <Skeleton key={i} height={height} mt={i === 0 ? 0 : 8} />
      ))}
    </div>
  );
}

export { classes as pageClasses };
