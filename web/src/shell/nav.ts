import { IconDatabase, IconHistory, IconMessageQuestion, IconSettings, IconStethoscope, type Icon } from "@tabler/icons-react";

/** A place of the page that the header, the phone's bar and the palette lead to. Only what works is listed. */
export interface Place {
  to: "/ask" | "/history" | "/connections" | "/settings" | "/doctor";
  label: string;
  icon: Icon;
  /** Pressed after g */
  key: string;
}

export const places: readonly Place[] = [
  { to: "/ask", label: "Ask", icon: IconMessageQuestion, key: "a" },
  { to: "/history", label: "History", icon: IconHistory, key: "h" },
  { to: "/connections", label: "Connections", icon: IconDatabase, key: "c" },
  { to: "/settings", label: "Settings", icon: IconSettings, key: "s" },
  { to: "/doctor", label: "Doctor", icon: IconStethoscope, key: "d" },
];
