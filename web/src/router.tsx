import { createRootRoute, createRoute, createRouter, lazyRouteComponent, redirect } from "@tanstack/react-router";

import { AskPage } from "./workbench/AskPage";
import { NotFound } from "./shell/NotFound";
import { Shell } from "./shell/Shell";
import { runTabs, type RunTab } from "./run/tabs";
import { Workbench } from "./workbench/Workbench";

// The server answers these paths with the page: internal/server/web.Routes.
const root = createRootRoute({ component: Shell, notFoundComponent: NotFound });

const index = createRoute({
  getParentRoute: () => root,
  path: "/",
  beforeLoad: () => {
    throw redirect({ to: "/ask", replace: true });
  },
});

/** Sources on the left, recent runs on the right. */
const workbench = createRoute({ getParentRoute: () => root, id: "workbench", component: Workbench });

const ask = createRoute({ getParentRoute: () => workbench, path: "/ask", component: AskPage });

const run = createRoute({
  getParentRoute: () => workbench,
  path: "/runs/$runId",
  component: lazyRouteComponent(() => import("./run/RunPage"), "RunPage"),
  validateSearch: (search: Record<string, unknown>): { tab?: RunTab } => {
    const tab = runTabs.find((t) => t === search.tab);
    return tab ? { tab } : {};
  },
});

export const router = createRouter({
  routeTree: root.addChildren([index, workbench.addChildren([ask, run])]),
  defaultPreload: "intent",
  scrollRestoration: false,
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
