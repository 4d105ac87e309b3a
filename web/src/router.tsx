import { createRootRoute, createRoute, createRouter, lazyRouteComponent, redirect } from "@tanstack/react-router";

import { historySearch } from "./history/search";
import { AskPage } from "./workbench/AskPage";
import { NotFound } from "./shell/NotFound";
import { PageFault } from "./shell/PageFault";
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

const history = createRoute({
  getParentRoute: () => root,
  path: "/history",
  component: lazyRouteComponent(() => import("./history/HistoryPage"), "HistoryPage"),
  validateSearch: historySearch,
});

const compare = createRoute({
  getParentRoute: () => root,
  path: "/compare/$a/$b",
  component: lazyRouteComponent(() => import("./history/ComparePage"), "ComparePage"),
});

const connections = createRoute({
  getParentRoute: () => root,
  path: "/connections",
  component: lazyRouteComponent(() => import("./connections/ConnectionsPage"), "ConnectionsPage"),
});

const settings = createRoute({
  getParentRoute: () => root,
  path: "/settings",
  component: lazyRouteComponent(() => import("./settings/SettingsPage"), "SettingsPage"),
});

const doctor = createRoute({
  getParentRoute: () => root,
  path: "/doctor",
  component: lazyRouteComponent(() => import("./doctor/DoctorPage"), "DoctorPage"),
});

export const router = createRouter({
  routeTree: root.addChildren([index, workbench.addChildren([ask, run]), history, compare, connections, settings, doctor]),
  defaultPreload: "intent",
  scrollRestoration: false,
  defaultErrorComponent: PageFault,
  defaultNotFoundComponent: NotFound,
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
