import { Skeleton } from "@mantine/core";
import type { ReactNode } from "react";

import classes from "./Answer.module.css";

/** Says why a tab has nothing. */
export function Panel({ children }: { children: ReactNode }) {
  return <div className={classes.empty}>{children}</div>;
}

/** Keeps the place of what is on its way. */
export function Waiting({ text }: { text?: string }) {
  return (
    <div style={{ padding: 16 }} aria-busy>
      {text && <p className="muted" style={{ margin: "0 0 12px", fontSize: 13 }}>{text}</p>}
      {[0, 1, 2, 3, 4, 5].map((i) => (
        <Skeleton key={i} height={20} mt={10} width={`${100 - i * 9}%`} />
      ))}
    </div>
  );
}
