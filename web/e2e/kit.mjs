// What the end-to-end tests share: a browser, a page that fails on whatever goes wrong in it, and accessibility checks.
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";

import { chromium } from "playwright-core";

import { indexed } from "./png.mjs";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** How long is waited at most, on a machine that is busy: for what is there already, and for what Spark has to do. */
export const soon = 60_000;
export const spark = 300_000;

export async function launch() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
    args: [
      "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
      "--disable-dev-shm-usage",
    ],
  });
}

/** Everything that went wrong in any page: errors of the console, exceptions, violations of the Content-Security-Policy. */
export const wrong = [];

/** A page of its own context, watched. */
export async function open(browser, base, { width = 1440, height = 900, scheme = "light", state } = {}) {
  const context = await browser.newContext({
    baseURL: base, viewport: { width, height }, colorScheme: scheme, acceptDownloads: true, reducedMotion: "reduce", ...(state ? { storageState: state } : {}),
  });
  context.setDefaultTimeout(soon);
  await context.addInitScript(() => {
    addEventListener("securitypolicyviolation", (e) => console.error(`CSP: ${e.violatedDirective} ${e.blockedURI} ${e.sourceFile}:${e.lineNumber}`));
  });
  const page = await context.newPage();
  const expected = new Set(); // statuses that a step is about
  const provoked = []; // other errors that a step is about
  page.on("console", (m) => {
    if (m.type() !== "error") return;
    // The browser reports every status above 399, also those that a step provokes.
    const status = /status of (\d+)/.exec(m.text());
    if (status && expected.has(Number(status[1]))) return;
    if (provoked.some((p) => p.test(m.text()))) return;
    wrong.push(`${page.url()}: ${m.text()} ${m.location().url}`);
  });
  page.on("pageerror", (e) => wrong.push(`${page.url()}: ${e.message}`));
  page.expectStatus = (n) => expected.add(n);
  page.expectError = (pattern) => provoked.push(pattern);
  return page;
}

/** Holds what is true now or soon. */
export async function until(what, check, limit = soon) {
  const end = Date.now() + limit;
  let last;
  for (;;) {
    try {
      last = await check();
      if (last) return last;
    } catch (e) {
      last = e;
    }
    if (Date.now() > end) throw new Error(`not so after ${limit / 1000} s: ${what} (last: ${last instanceof Error ? last.message : JSON.stringify(last)})`);
    await new Promise((r) => setTimeout(r, 100));
  }
}

export function must(what, ok) {
  if (!ok) throw new Error(`not so: ${what}`);
}

/** No violation of WCAG 2.2 A and AA, as far as rules can tell. */
export async function accessible(page, name) {
  // Hints of the mouse belong to no landmark, and one that is about to go is judged half faded.
  await page.mouse.move(0, 0);
  await until("no hint is shown", async () => (await page.getByRole("tooltip").count()) === 0);
  await page.evaluate(axe);
  const found = await page.evaluate(() =>
    globalThis.axe.run(document, { runOnly: { type: "tag", values: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] } }));
  const lines = found.violations.map((v) => `${v.id} (${v.impact}): ${v.help}\n${v.nodes.slice(0, 4).map((n) => `    ${n.target.join(" ")}  ${n.html.slice(0, 160)}\n      ${n.failureSummary?.split("\n").slice(1, 3).join(" ")}`).join("\n")}`);
  if (lines.length > 0) throw new Error(`axe on ${name} (${page.viewportSize().width} px): ${lines.length} violations\n${lines.join("\n")}`);
}

/** Nothing is wider than the screen, and no text of a button or a heading is cut off without a sign. */
export async function fits(page, name) {
  const found = await page.evaluate(() => {
    const out = [];
    const w = document.documentElement.clientWidth;
    if (document.documentElement.scrollWidth > w) out.push(`the document is ${document.documentElement.scrollWidth} px wide on ${w}`);
    const main = document.querySelector("main");
    if (main && main.scrollWidth > main.clientWidth + 1) out.push(`main is ${main.scrollWidth} px wide in ${main.clientWidth}`);
    for (const el of document.querySelectorAll("h1, h2, button, label, [role=listitem]")) {
      const s = getComputedStyle(el);
      const box = el.getBoundingClientRect();
      // Wider than the screen, unless it is in something that scrolls sideways.
      const scrolls = (e) => e && e !== document.body && (/auto|scroll/.test(getComputedStyle(e).overflowX) && e.scrollWidth > e.clientWidth + 1 && e !== main ? true : scrolls(e.parentElement));
      if (box.width > 1 && box.right > w + 1 && !scrolls(el.parentElement)) out.push(`beyond the edge: ${(el.textContent || el.getAttribute("aria-label") || el.tagName).slice(0, 60)}`);
      if (el.scrollWidth > el.clientWidth + 1 && el.clientWidth > 1 && s.overflowX === "hidden" && s.textOverflow !== "ellipsis" && el.textContent) out.push(`cut: ${el.textContent.slice(0, 60)}`);
    }
    return out;
  });
  if (found.length > 0) throw new Error(`${name} at ${page.viewportSize().width} px: ${found.join("; ")}`);
}

/** Screenshots for docs/screenshots, only when they are asked for. */
export async function picture(page, name) {
  const dir = process.env.SPARKWRIGHT_SCREENSHOTS_DIR;
  if (dir) writeFileSync(path.join(dir, `${name}.png`), indexed(await page.screenshot()));
}
