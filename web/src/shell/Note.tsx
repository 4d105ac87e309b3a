import type { Icon } from "@tabler/icons-react";
import type { ReactNode } from "react";

import classes from "./Note.module.css";

/** Something to be told, with an icon and a title; role alert when it interrupts. */
export function Note({ tone, icon: Glyph, title, children, role }: { tone: "bad" | "warn" | "good" | "plain"; icon: Icon; title: ReactNode; children?: ReactNode; role?: "alert" | "status" }) {
  return (
    <div className={classes.note} data-tone={tone} role={role}>
      <Glyph size={18} aria-hidden />
      <div>
        <div className={classes.title} dir="auto">{title}</div>
        {children}
      </div>
    </div>
  );
}
