import { IconAlertTriangle, IconBan, IconCircleCheck, IconClock, IconHandStop, IconLoader2, IconMessageQuestion, type Icon } from "@tabler/icons-react";

import classes from "./State.module.css";

interface Look {
  icon: Icon;
  word: string;
  tone: "good" | "bad" | "warn" | "muted" | "busy";
}

const looks: Record<string, Look> = {
  queued: { icon: IconClock, word: "queued", tone: "muted" },
  generating: { icon: IconLoader2, word: "writing code", tone: "busy" },
  checking: { icon: IconLoader2, word: "checking", tone: "busy" },
  awaiting_approval: { icon: IconHandStop, word: "awaits approval", tone: "warn" },
  running: { icon: IconLoader2, word: "running", tone: "busy" },
  succeeded: { icon: IconCircleCheck, word: "succeeded", tone: "good" },
  failed: { icon: IconAlertTriangle, word: "failed", tone: "bad" },
  declined: { icon: IconMessageQuestion, word: "declined", tone: "warn" },
  cancelled: { icon: IconBan, word: "cancelled", tone: "muted" },
};

/** A run's state by icon and word; the word is there for screen readers even when only the icon is shown. */
export function State({ state, iconOnly }: { state: string; iconOnly?: boolean }) {
  const look = looks[state] ?? { icon: IconClock, word: state, tone: "muted" as const };
  return (
    <span className={classes.state} data-tone={look.tone} title={iconOnly ? look.word : undefined}>
      <look.icon size={16} stroke={1.9} aria-hidden />
      <span className={iconOnly ? "visually-hidden" : undefined}>{look.word}</span>
    </span>
  );
}
