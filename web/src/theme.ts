import { createTheme, type CSSVariablesResolver, type MantineColorsTuple } from "@mantine/core";

/** The one accent: the next action, what is selected, and focus. */
const accent: MantineColorsTuple = [
  "#eef0ff", "#dfe2fd", "#bcc2f7", "#98a1f2", "#7985ed", "#5f6ce4", "#4453d6", "#3744b8", "#2d3897", "#222b78",
];

/** A neutral with a little blue in it, for the dark theme. */
const dark: MantineColorsTuple = [
  "#d5d9e0", "#aeb4c0", "#8d95a5", "#5c6475", "#3b4251", "#2c323e", "#232833", "#191d26", "#12151c", "#0c0f14",
];

const gray: MantineColorsTuple = [
  "#f8f9fb", "#f1f3f6", "#e6e9ee", "#d8dde4", "#c2c9d3", "#9aa4b2", "#6b7685", "#4b5563", "#333c49", "#1d242e",
];

export const theme = createTheme({
  colors: { accent, dark, gray },
  primaryColor: "accent",
  primaryShade: { light: 6, dark: 6 },
  autoContrast: true,
  luminanceThreshold: 0.3,
  black: "#1d242e",
  cursorType: "pointer",
  defaultRadius: "md",
  focusRing: "auto",
  respectReducedMotion: true,
  fontFamily: "Inter, system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif",
  fontFamilyMonospace: "'JetBrains Mono', ui-monospace, SFMono-Regular, Menlo, Consolas, monospace",
  fontSizes: { xs: "12px", sm: "13px", md: "14px", lg: "16px", xl: "20px" },
  lineHeights: { xs: "1.4", sm: "1.45", md: "1.5", lg: "1.5", xl: "1.35" },
  spacing: { xs: "8px", sm: "12px", md: "16px", lg: "24px", xl: "32px" },
  radius: { xs: "3px", sm: "4px", md: "6px", lg: "10px", xl: "16px" },
  headings: {
    fontWeight: "600",
    sizes: {
      h1: { fontSize: "20px", lineHeight: "1.35" },
      h2: { fontSize: "16px", lineHeight: "1.4" },
      h3: { fontSize: "14px", lineHeight: "1.5" },
    },
  },
  components: {
    Tooltip: { defaultProps: { openDelay: 400, withArrow: true, transitionProps: { duration: 100 } } },
    // Their header would be taken for the banner of the page.
    Modal: { defaultProps: { transitionProps: { duration: 120 }, attributes: { header: { role: "presentation" } } } },
    Drawer: { defaultProps: { transitionProps: { duration: 120 }, attributes: { header: { role: "presentation" } } } },
    Menu: { defaultProps: { transitionProps: { duration: 80 } } },
    Popover: { defaultProps: { transitionProps: { duration: 80 } } },
    Button: { defaultProps: { size: "sm" } },
    Table: { defaultProps: { borderColor: "var(--sw-line)" } },
    ActionIcon: { defaultProps: { variant: "subtle", color: "gray" } },
  },
});

/** Our own variables beside Mantine's: surfaces, lines and text in two themes that are cared for alike. */
export const variables: CSSVariablesResolver = () => ({
  variables: {},
  light: {
    "--sw-ground": "#f4f5f8",
    "--sw-surface": "#ffffff",
    "--sw-raised": "#ffffff",
    "--sw-sunken": "#f8f9fb",
    "--sw-line": "#e3e6eb",
    "--sw-line-strong": "#cdd3db",
    "--sw-control": "#878f9c",
    "--sw-text": "#1d242e",
    "--sw-muted": "#596372",
    "--sw-accent": "#4453d6",
    "--sw-accent-soft": "#eceeff",
    "--sw-good": "#13704a",
    "--sw-good-soft": "#e4f5ec",
    "--sw-warn": "#8a5300",
    "--sw-warn-soft": "#fdf1dc",
    "--sw-bad": "#b3261e",
    "--sw-bad-soft": "#fdeceb",
    "--sw-code-keyword": "#8a2a9b",
    "--sw-code-string": "#1a6b3c",
    "--sw-code-number": "#9a4a00",
    "--sw-code-function": "#2f45b8",
    "--sw-code-type": "#0d6b77",
    "--mantine-color-dimmed": "#596372",
    "--mantine-color-placeholder": "#6b7685",
    "--mantine-color-error": "#b3261e",
  },
  dark: {
    "--sw-ground": "#0c0f14",
    "--sw-surface": "#12151c",
    "--sw-raised": "#191d26",
    "--sw-sunken": "#0f1218",
    "--sw-line": "#262c37",
    "--sw-line-strong": "#3b4251",
    "--sw-control": "#6b7386",
    "--sw-text": "#e3e6eb",
    "--sw-muted": "#9aa3b2",
    "--sw-accent": "#98a1f2",
    "--sw-accent-soft": "#23284a",
    "--sw-good": "#5fd3a0",
    "--sw-good-soft": "#11291f",
    "--sw-warn": "#f0b75a",
    "--sw-warn-soft": "#2d220f",
    "--sw-bad": "#ff9089",
    "--sw-bad-soft": "#341a1a",
    "--sw-code-keyword": "#d6a2e8",
    "--sw-code-string": "#8fd6a3",
    "--sw-code-number": "#f0b37a",
    "--sw-code-function": "#a5b4ff",
    "--sw-code-type": "#7fd3de",
    "--mantine-color-body": "#12151c",
    "--mantine-color-text": "#e3e6eb",
    "--mantine-color-dimmed": "#9aa3b2",
    "--mantine-color-placeholder": "#8d95a5",
    "--mantine-color-error": "#ff9089",
  },
});
