import { Tooltip } from "@mantine/core";
import {
  IconAlertTriangle, IconCamera, IconCircleCheck, IconCoins, IconHelpCircle, IconLockOpen, IconShield, IconShieldCheck, IconShieldX, IconTable, IconTool, type Icon,
} from "@tabler/icons-react";

import type { Run } from "@/api/types";

import classes from "./Answer.module.css";
import { badgesOf, type BadgeKind } from "./badges";

const icons: Record<BadgeKind, Icon> = {
  rows: IconTable, trust: IconShieldCheck, medium: IconShield, doubt: IconShieldX, snapshot: IconCamera, verified: IconCircleCheck, warning: IconAlertTriangle,
  unknown: IconHelpCircle, repaired: IconTool, unlocked: IconLockOpen, tokens: IconCoins,
};

export function Badges({ run }: { run: Run }) {
  const badges = badgesOf(run);
  // The place is kept while the run goes on.
  if (badges.length === 0) return run.final ? null : <div className={classes.badges} />;
  return (
    <div className={classes.badges} role="list" aria-label="What is known of the answer">
      {badges.map((b) => {
        const Glyph = icons[b.kind];
        return (
          <Tooltip key={b.text} label={b.why} multiline maw={320} disabled={b.why === ""} events={{ hover: true, focus: true, touch: true }}>
            <span role="listitem" className={`${classes.badge} tabular`} data-tone={b.tone} tabIndex={b.why === "" ? undefined : 0}>
              <Glyph size={14} stroke={2} aria-hidden />
              {b.text}
            </span>
          </Tooltip>
        );
      })}
    </div>
  );
}
