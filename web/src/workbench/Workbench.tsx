import { Button, Drawer } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { IconDatabase, IconHistory } from "@tabler/icons-react";
import { Outlet, useLocation } from "@tanstack/react-router";
import { useEffect } from "react";

import { Sources } from "@/sources/Sources";

import { useDraft } from "./draft";
import { Recent } from "./Recent";
import classes from "./Workbench.module.css";

/** Sources, question and answer, recent runs: three columns on a wide screen, drawers on a narrow one. */
export function Workbench() {
  const [sources, sourcesDrawer] = useDisclosure(false);
  const [recent, recentDrawer] = useDisclosure(false);
  const path = useLocation({ select: (l) => l.pathname });
  const { tables } = useDraft();
  const { close } = recentDrawer;
  useEffect(close, [path, close]);
  return (
    <div className={classes.workbench}>
      <aside className={`${classes.side} ${classes.left}`} aria-label="Sources">
        <Sources />
      </aside>
      <div className={classes.tabs}>
        <Button variant="default" size="compact-md" leftSection={<IconDatabase size={16} aria-hidden />} onClick={sourcesDrawer.open}>
          Sources{tables.length > 0 ? ` (${tables.length})` : ""}
        </Button>
        <Button variant="default" size="compact-md" leftSection={<IconHistory size={16} aria-hidden />} onClick={recentDrawer.open}>
          Recent
        </Button>
      </div>
      <section className={classes.middle} aria-label="Question and answer" tabIndex={-1}>
        <Outlet />
      </section>
      <aside className={`${classes.side} ${classes.right}`} aria-label="Recent runs">
        <Recent />
      </aside>
      <Drawer opened={sources} onClose={sourcesDrawer.close} title="Sources" padding={0} size="min(360px, 92vw)" closeButtonProps={{ "aria-label": "Close" }}
        styles={{ header: { padding: "8px 16px" }, body: { height: "calc(100dvh - 60px)" } }}>
        <Sources />
      </Drawer>
      <Drawer opened={recent} onClose={recentDrawer.close} position="right" title="Recent runs" padding={0} size="min(360px, 92vw)" closeButtonProps={{ "aria-label": "Close" }}
        styles={{ header: { padding: "8px 16px" } }}>
        <Recent bare />
      </Drawer>
    </div>
  );
}
