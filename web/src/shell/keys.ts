import { useNavigate } from "@tanstack/react-router";
import { useEffect, useRef } from "react";

import { places } from "./nav";

/** "⌘" on a Mac, "Ctrl " elsewhere. */
export function modifier(platform = globalThis.navigator?.platform ?? ""): string {
  return /Mac|iPhone|iPad/.test(platform) ? "⌘" : "Ctrl ";
}

/** Whether a key is meant for what has the focus: then it is no command. */
export function typing(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));
}

/** Where / goes: whatever filter the page has marked. */
export const filterMark = { "data-filter": "" } as const;

/** The keys that hold everywhere: ? help, / filter, g and a letter for a page. ⌘K is the palette's own. */
export function useKeys({ onHelp }: { onHelp: () => void }): void {
  const navigate = useNavigate();
  const help = useRef(onHelp);
  useEffect(() => {
    help.current = onHelp;
  });
  useEffect(() => {
    let going = 0; // when g was pressed
    const down = (e: KeyboardEvent) => {
      if (e.defaultPrevented || e.metaKey || e.ctrlKey || e.altKey || typing(e.target)) return;
      if (e.target instanceof HTMLElement && e.target.closest('[role="dialog"]')) return;
      const place = e.timeStamp - going < 1500 ? places.find((p) => p.key === e.key) : undefined;
      going = e.key === "g" ? e.timeStamp : 0;
      if (place) void navigate({ to: place.to });
      else if (e.key === "?") help.current();
      else if (e.key === "/") {
        const filter = [...document.querySelectorAll<HTMLInputElement>("[data-filter]")].find((f) => f.offsetParent !== null);
        filter?.focus();
        filter?.select();
        if (!filter) return;
      } else return;
      e.preventDefault();
    };
    window.addEventListener("keydown", down);
    return () => window.removeEventListener("keydown", down);
  }, [navigate]);
}
