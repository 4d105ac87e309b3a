// What the page takes, in a real Chromium; bench/page starts the server that SPARKWRIGHT_URL names, with a connection to a database of
// many tables. Latencies are from the event in the page to the frame that shows what it leads to: median and worst of several.
import { launch, must, open, spark, until, wrong } from "./kit.mjs";

const base = process.env.SPARKWRIGHT_URL;
if (!base) throw new Error("SPARKWRIGHT_URL names the server: go run ./bench/page starts one");
const tables = Number(process.env.BENCH_TABLES || 2000);
const rows = Number(process.env.BENCH_ROWS || 1_000_000);
const runs = Number(process.env.BENCH_RUNS || 200);
const parts = (process.env.BENCH_PARTS || "load,tree,rows,memory").split(",");
const times = 15;

const browser = await launch();

function tell(what, all) {
  const sorted = [...all].sort((a, b) => a - b);
  const ms = (n) => `${n.toFixed(0)} ms`.padStart(9);
  console.log(`${what.padEnd(58)}${ms(sorted[Math.floor(sorted.length / 2)])}, at most${ms(sorted.at(-1))} of ${all.length}`);
}

async function api(method, path, body) {
  const headers = { "Content-Type": "application/json", ...(method === "POST" ? { "Idempotency-Key": crypto.randomUUID() } : {}) };
  const r = await fetch(base + path, { method, headers, ...(body ? { body: JSON.stringify(body) } : {}) });
  const reply = await r.json();
  must(`${method} ${path}: ${JSON.stringify(reply).slice(0, 300)}`, r.ok);
  return reply;
}

const analysis = (n) =>
  `result = spark.range(${n}).selectExpr('id', 'id * 7919 % 1000003 AS shuffled', "concat('name ', id % 9973) AS name", 'CAST(id AS decimal(18,2)) / 7 AS amount', 'id % 100 AS share', "IF(id % 11 = 0, NULL, 'x') AS maybe")`;

/** Runs code to its end, and gives the id. */
async function answered(n) {
  const { id } = await api("POST", "/api/v1/runs", { code: analysis(n), connection: "many", tables: ["area_00.orders_0000"] });
  await until(`${id} has ended`, async () => {
    const run = await api("GET", `/api/v1/runs/${id}`);
    must(`${id} has succeeded: ${JSON.stringify(run.fault)}`, !run.final || run.state === "succeeded");
    return run.final;
  }, spark);
  return id;
}

/** In the page: acts, and gives the milliseconds to the frame after what it leads to is in the document. */
function helpers() {
  globalThis.timed = (act, done) =>
    new Promise((resolve, reject) => {
      requestAnimationFrame(() => {
        const at = performance.now();
        act();
        const look = () => {
          if (done()) return requestAnimationFrame(() => resolve(performance.now() - at));
          if (performance.now() - at > 120_000) return reject(new Error(`not so after two minutes: ${done}`));
          requestAnimationFrame(look);
        };
        look();
      });
    });
  globalThis.rowsGrid = () => document.querySelector('[role="grid"][aria-label="Rows"]');
  /** Rows are shown, and none is waited for. */
  globalThis.filled = () => {
    const g = globalThis.rowsGrid();
    return g !== null && g.getAttribute("aria-busy") !== "true" && g.querySelector('[role="gridcell"]') !== null && g.querySelector('[class*="waiting"]') === null;
  };
  globalThis.write = (input, text) => {
    Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value").set.call(input, text);
    input.dispatchEvent(new Event("input", { bubbles: true }));
  };
  globalThis.slow = [];
  new PerformanceObserver((list) => globalThis.slow.push(...list.getEntries().map((e) => e.duration))).observe({ type: "event", durationThreshold: 16 });
}

async function firstLoad() {
  const page = await open(browser, base);
  await page.goto("/ask");
  await page.locator("#question").waitFor();
  const seen = await page.evaluate(() => {
    const all = [performance.getEntriesByType("navigation")[0], ...performance.getEntriesByType("resource")];
    const files = all.filter((e) => !e.name.includes("/api/"));
    return {
      files: files.length, bytes: files.reduce((n, e) => n + e.encodedBodySize, 0),
      paint: performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? 0,
    };
  });
  console.log(`first load, as Chromium takes it (Brotli)${" ".repeat(17)}${(seen.bytes / 1000).toFixed(1)} kB in ${seen.files} files, something painted after ${seen.paint.toFixed(0)} ms`);
  await page.context().close();
}

async function result(page) {
  const id = await answered(rows);
  await page.goto(`/runs/${id}?tab=table`);
  await page.waitForFunction(() => globalThis.filled());
  const all = { scroll: [], sort: [], again: [], filter: [] };
  for (let i = 1; i <= times; i++) {
    all.scroll.push(await page.evaluate((share) => {
      const g = globalThis.rowsGrid();
      const top = Math.floor((g.scrollHeight * share) / 32) * 32;
      return globalThis.timed(() => { g.scrollTop = top; }, () => globalThis.filled() && g.querySelector(`[aria-rowindex="${Math.floor(g.scrollTop / 32) + 3}"]`) !== null);
    }, ((i * 7) % (times + 1)) / (times + 2)));
  }
  const sort = (name) => page.evaluate((name) => {
    const head = () => [...document.querySelectorAll('[role="columnheader"]')].find((h) => h.textContent.startsWith(name));
    const before = head().getAttribute("aria-sort");
    return globalThis.timed(() => head().querySelector("button").click(), () => head() && head().getAttribute("aria-sort") !== before && globalThis.filled());
  }, name);
  for (const name of ["shuffled", "name", "amount", "share", "id"]) {
    for (let i = 0; i < 2; i++) all.sort.push(await sort(name)); // ascending, descending
    await sort(name); // as it was
    for (let i = 0; i < 2; i++) all.again.push(await sort(name)); // views that are there
    await sort(name);
  }
  for (let i = 0; i < 5; i++) {
    await page.getByRole("button", { name: "Filter share" }).click();
    await page.getByRole("textbox", { name: "Value" }).fill(String(10 + i));
    all.filter.push(await page.evaluate(() => {
      const submit = [...document.querySelectorAll('form button[type="submit"]')].find((b) => b.textContent === "Filter");
      return globalThis.timed(() => submit.click(), () => document.querySelector('[aria-label^="Drop the filter"]') !== null && / of /.test(document.querySelector('[role="tabpanel"] [role="status"]').textContent) && globalThis.filled());
    }));
    await page.getByRole("button", { name: /^Drop the filter/ }).click();
    await page.waitForFunction(() => globalThis.filled());
  }
  const million = `${rows.toLocaleString("en")} rows`;
  tell(`${million}: jump anywhere, to painted`, all.scroll);
  tell(`${million}: sort by a column for the first time`, all.sort);
  tell(`${million}: sort as before`, all.again);
  tell(`${million}: filter`, all.filter);
}

async function tree(page) {
  await page.goto("/ask");
  const found = (name, count) => page.evaluate(({ name, count }) => globalThis.timed(
    () => globalThis.write(document.querySelector("[data-filter]"), name),
    () => document.body.textContent.includes(count) && [...document.querySelectorAll('[role="treeitem"]')].some((t) => t.textContent.includes(name)),
  ), { name, count });
  await page.getByRole("treeitem").nth(3).waitFor();
  const kinds = ["orders", "invoices", "payments", "shipments", "returns", "tickets", "visits", "prices", "stocks", "audits"];
  const search = [];
  for (let i = 0; i < times; i++) {
    const n = (i * 131) % tables;
    search.push(await found(`${kinds[n % kinds.length]}_${String(n).padStart(4, "0")}`, "1 table found"));
  }
  const all = [await found("area_", `${tables.toLocaleString("en")} tables found`)];
  const scroll = [];
  for (let i = 1; i <= times; i++) {
    scroll.push(await page.evaluate((share) => {
      const t = document.querySelector('[role="tree"]');
      const first = () => t.querySelector('[role="treeitem"]')?.textContent;
      const before = first();
      return globalThis.timed(() => { t.scrollTop = t.scrollHeight * share; }, () => first() !== before);
    }, ((i * 7) % (times + 1)) / (times + 2)));
  }
  await page.locator("[data-filter]").fill("");
  await page.locator("[data-filter]").focus();
  await page.evaluate(() => { globalThis.slow.length = 0; });
  await page.keyboard.type("payments_0012", { delay: 80 });
  await page.getByRole("treeitem", { name: /payments_0012/ }).waitFor();
  const slow = await page.evaluate(() => globalThis.slow);
  tell(`${tables} tables: a search, from the key to painted`, search);
  tell(`${tables} tables: a search that finds all of them`, all);
  tell(`${tables} tables: scroll, to painted`, scroll);
  console.log(`${`${tables} tables: a key is typed, the slowest to its frame`.padEnd(58)}${slow.length > 0 ? `${Math.max(...slow).toFixed(0)} ms`.padStart(9) : "under 16 ms"} of 13`);
}

/** The heap after a collection. */
async function memory(page) {
  const ids = [];
  const work = async () => {
    while (ids.length < runs) {
      const at = ids.push("") - 1;
      ids[at] = await answered(1000);
    }
  };
  await Promise.all([work(), work(), work(), work()]);
  await page.goto("/ask");
  await page.locator("#question").waitFor();
  const cdp = await page.context().newCDPSession(page);
  const heap = async (n) => {
    await cdp.send("HeapProfiler.collectGarbage");
    const { usedSize } = await cdp.send("Runtime.getHeapUsage");
    const nodes = await page.evaluate(() => document.querySelectorAll("*").length);
    console.log(`${`heap after ${n} runs have been opened`.padEnd(58)}${(usedSize / 1e6).toFixed(1).padStart(6)} MB, ${nodes} elements`);
  };
  await heap(0);
  for (const [i, id] of ids.entries()) {
    await page.evaluate((id) => history.pushState({}, "", `/runs/${id}?tab=table`), id);
    await page.waitForFunction((id) => location.pathname.endsWith(id) && globalThis.filled(), id);
    if ([1, 20, 100, runs].includes(i + 1)) await heap(i + 1);
  }
}

try {
  if (parts.includes("load")) await firstLoad();
  const page = await open(browser, base);
  page.context().setDefaultTimeout(120_000);
  await page.addInitScript(helpers);
  if (parts.includes("tree")) await tree(page);
  if (parts.includes("rows")) await result(page);
  if (parts.includes("memory")) await memory(page);
  if (wrong.length > 0) throw new Error(`errors in the browser:\n${wrong.join("\n")}`);
} finally {
  await browser.close();
}
