import { ActionIcon, Tooltip, useComputedColorScheme, useMantineColorScheme } from "@mantine/core";
import { spotlight } from "@mantine/spotlight";
import { IconHelp, IconMoon, IconSearch, IconSun, IconWifiOff } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { Link, Outlet } from "@tanstack/react-router";
import { useState } from "react";

import { metaQuery } from "@/api/queries";

import { Brand } from "./Brand";
import { Help } from "./Help";
import { modifier, useKeys } from "./keys";
import { places } from "./nav";
import { useReached } from "./online";
import { Palette } from "./Palette";
import classes from "./Shell.module.css";

/** What is around every page: the header, the way to everywhere, and word of a lost connection. */
export function Shell() {
  const [help, setHelp] = useState(false);
  const reached = useReached();
  useQuery({ ...metaQuery, retry: false, refetchInterval: reached ? false : 3_000 }); // it finds the server again
  const { setColorScheme } = useMantineColorScheme();
  const scheme = useComputedColorScheme("light");
  const other = scheme === "dark" ? "light" : "dark";
  useKeys({ onHelp: () => setHelp(true) });
  return (
    <div className={classes.shell}>
      <a className={classes.skip} href="#main">
        Skip to the content
      </a>
      <header className={classes.header}>
        <Link to="/ask" className={classes.brand} aria-label="Sparkwright, ask a question">
          <Brand />
          Sparkwright
        </Link>
        <nav className={classes.nav} aria-label="Pages">
          {places.map((p) => (
            <Link key={p.to} to={p.to} className={classes.link}>
              <p.icon size={16} stroke={1.75} aria-hidden />
              {p.label}
            </Link>
          ))}
        </nav>
        <div className={classes.space} />
        <button type="button" className={classes.find} onClick={spotlight.open} aria-keyshortcuts="Meta+K Control+K">
          <IconSearch size={15} aria-hidden />
          <span>Tables and commands</span>
          <kbd>{modifier()}K</kbd>
        </button>
        <ActionIcon size="lg" className={classes.onlyNarrow} onClick={spotlight.open} aria-label="Tables and commands">
          <IconSearch size={18} />
        </ActionIcon>
        <Tooltip label={`Use the ${other} theme`}>
          <ActionIcon size="lg" onClick={() => setColorScheme(other)} aria-label={`Use the ${other} theme`}>
            {scheme === "dark" ? <IconSun size={18} stroke={1.75} /> : <IconMoon size={18} stroke={1.75} />}
          </ActionIcon>
        </Tooltip>
        <Tooltip label="Keyboard and help">
          <ActionIcon size="lg" onClick={() => setHelp(true)} aria-label="Keyboard and help" aria-keyshortcuts="?">
            <IconHelp size={18} stroke={1.75} />
          </ActionIcon>
        </Tooltip>
      </header>
      <div className={classes.body}>
        <div role="status" aria-live="polite">
          {!reached && (
            <div className={classes.offline}>
              <IconWifiOff size={16} aria-hidden />
              The server is not reached. Runs go on there; the page connects again by itself.
            </div>
          )}
        </div>
        <main id="main" className={classes.main} tabIndex={-1}>
          <Outlet />
        </main>
      </div>
      {places.length > 1 && (
        <nav className={classes.bar} aria-label="Pages">
          {places.map((p) => (
            <Link key={p.to} to={p.to}>
              <p.icon size={20} stroke={1.75} aria-hidden />
              {p.label}
            </Link>
          ))}
        </nav>
      )}
      <Palette onHelp={() => setHelp(true)} />
      <Help opened={help} onClose={() => setHelp(false)} />
    </div>
  );
}
