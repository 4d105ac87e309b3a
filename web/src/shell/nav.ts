import { IconMessageQuestion, type Icon } from "@tabler/icons-react";

/** A place of the page that the header, the phone's bar and the palette lead to. Only what works is listed. */
export interface Place {
  to: "/ask";
  label: string;
  icon: Icon;
  /** Pressed after g */
  key: string;
}

export const places: readonly Place[] = [{ to: "/ask", label: "Ask", icon: IconMessageQuestion, key: "a" }];
