// The page in a real Chromium against a real server, PostgreSQL and Spark: from the first start to the doctor. The server has an
// empty data directory. Whatever goes wrong ends it with what and where; nothing is tried twice.
import { mkdirSync, readFileSync } from "node:fs";
import path from "node:path";

import { accessible, fits, launch, must, open, picture, spark, until, wrong } from "./kit.mjs";

const base = process.env.SPARKWRIGHT_URL;
if (!base) throw new Error("SPARKWRIGHT_URL names the server");
const out = process.env.SPARKWRIGHT_E2E_OUT || "/tmp";
mkdirSync(out, { recursive: true });

const browser = await launch();
const page = await open(browser, base);
const begun = Date.now();
let current = "";
const seen = new Set();

async function step(name, act) {
  current = name;
  const at = Date.now();
  await act();
  if (wrong.length > 0) throw new Error(`errors in the browser:\n${wrong.join("\n")}`);
  console.log(`  ${name}: ${((Date.now() - at) / 1000).toFixed(1)} s`);
}

const button = (name, more = {}) => page.getByRole("button", { name, ...more });
const tab = (name) => page.getByRole("tab", { name, exact: true });
const heading = (text) => page.getByRole("heading", { level: 1, name: text });
/** The id in the address. */
const runId = () => /\/runs\/([^/?]+)/.exec(page.url())?.[1] ?? "";

/** Waits for the state that the head of the run shows. */
async function ended(state, from = "") {
  await until(`another run is shown than ${from}`, () => runId() !== "" && runId() !== from);
  const head = page.getByRole("article", { name: "Run" }).locator("header").getByRole("status");
  const now = async () => (await head.textContent())?.trim() ?? "";
  const last = await until(`the run ${runId()} has ${state}`, async () => {
    const word = await now();
    return word === state || ["succeeded", "failed", "declined", "cancelled"].includes(word) ? word : "";
  }, spark);
  const why = async () => JSON.stringify((await (await page.request.get(`/api/v1/runs/${runId()}`)).json()).fault ?? "");
  must(`the run ${runId()} has ${state}: it has ${last}: ${last === state ? "" : await why()}`, last === state);
  seen.add(runId());
}

/** Replaces the code in the editor, as somebody would who types. */
async function write(code) {
  await tab("Code").click();
  await button("Edit", { exact: true }).click();
  const editor = page.getByRole("textbox", { name: "Analysis, edited" });
  await editor.click();
  await page.keyboard.press("ControlOrMeta+A");
  // The browser's own selection follows the editor's in a later frame, and what is typed replaces the browser's.
  await until("all of the code is selected", () => editor.evaluate((e) => {
    const all = globalThis.getSelection()?.toString() ?? "";
    const bare = (text) => text.replace(/\s/g, "");
    return bare(all) !== "" && bare(all) === bare(e.textContent ?? "");
  }));
  await page.keyboard.insertText(code);
  const lines = code.split("\n");
  await until("the editor holds the new code and nothing else", () => editor.evaluate((e, [first, count]) => {
    const shown = e.querySelectorAll(".cm-line");
    return shown.length === count && (shown[0]?.textContent ?? "").startsWith(first);
  }, [lines[0].slice(0, 60), lines.length]));
}

async function ask(question) {
  await page.goto("/ask");
  await page.getByRole("textbox", { name: "Question", exact: true }).fill(question);
  await page.keyboard.press("Control+Enter");
}

try {
  await step("first start: demo data in three steps", async () => {
    await page.goto("/");
    await heading("Three steps to the first answer").waitFor();
    await accessible(page, "first start");
    await picture(page, "start");
    await button("Connect your PostgreSQL").click();
    await page.getByLabel("URL").fill("postgresql://reader:secret%21@127.0.0.1:1/app");
    must("the URL fills the form", (await page.getByRole("textbox", { name: "Name" }).inputValue()) === "app" && (await page.getByLabel("URL").inputValue()) === "");
    await button("Test", { exact: true }).click();
    await page.getByRole("alert").waitFor(); // nobody listens there
    await accessible(page, "connection form");
    await button("Cancel").click();
    await button("Use the demo data").click();
    await page.getByRole("list", { name: "What the test saw" }).waitFor({ timeout: spark });
    await accessible(page, "what the login saw");
    await button("Go on to a question").click();
    const questions = page.getByRole("region", { name: "A first question" }).getByRole("button");
    await until("three questions are offered", async () => (await questions.count()) === 3);
    await questions.first().click();
    await ended("succeeded");
  });

  await step("by keyboard only: theme, help, palette, question", async () => {
    await page.evaluate(() => document.activeElement?.blur());
    await page.keyboard.press("g");
    await page.keyboard.press("a");
    await page.waitForURL("**/ask");
    await page.getByRole("textbox", { name: "Question", exact: true }).waitFor();
    await until("the question has the focus", () => page.evaluate(() => document.activeElement?.id === "question"));
    await until("questions are offered", async () => (await page.getByRole("region", { name: "Questions that can be answered" }).getByRole("button").count()) > 0);
    await picture(page, "ask");
    await page.keyboard.press("Escape");
    await page.evaluate(() => document.activeElement?.blur());
    await page.keyboard.press("?");
    await page.getByRole("dialog").waitFor();
    await accessible(page, "help");
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
    await page.keyboard.press("/");
    await until("the filter has the focus", () => page.evaluate(() => document.activeElement?.hasAttribute("data-filter")));
    await page.keyboard.type("payments");
    await until("the tree is filtered", async () => (await page.getByRole("treeitem", { name: /payments/ }).count()) > 0);
    await page.keyboard.press("ControlOrMeta+K");
    await page.getByRole("textbox", { name: "Tables and commands" }).waitFor();
    await page.keyboard.type("new question");
    const found = page.getByRole("dialog", { name: "Tables and commands" }).locator("[data-action]");
    await until("the command alone is found", async () => (await found.allTextContents()).join() === "New question");
    await page.keyboard.press("Enter"); // the first one, without a selection
    await until("the question has the focus", () => page.evaluate(() => document.activeElement?.id === "question"));
    await page.keyboard.press("ControlOrMeta+K");
    await page.getByRole("textbox", { name: "Tables and commands" }).waitFor();
    await page.keyboard.type("new question");
    await until("the command alone is found", async () => (await found.allTextContents()).join() === "New question");
    await page.keyboard.press("ArrowDown");
    await until("it is selected", async () => (await found.first().getAttribute("data-selected")) === "true");
    await page.keyboard.press("Enter");
    await until("the question has the focus", () => page.evaluate(() => document.activeElement?.id === "question"));
    await page.keyboard.type("How many orders were there per month in 2025?");
    const before = runId();
    await page.keyboard.press("Control+Enter");
    await ended("succeeded", before);
  });
  const perMonth = runId();

  await step("answer: table, sort, chart, SQL, receipt, log", async () => {
    const cells = page.getByRole("grid", { name: "Rows" }).getByRole("gridcell");
    await until("rows are shown", async () => (await cells.count()) >= 2 && (await cells.first().textContent()) !== "");
    await page.getByText("Understood:").waitFor();
    await accessible(page, "answer, table");
    const firstCell = await cells.first().textContent();
    await page.getByRole("columnheader").first().getByRole("button").first().click();
    await page.getByRole("columnheader").first().getByRole("button").first().click();
    await until("the server has sorted", async () => (await cells.first().textContent()) !== firstCell);
    await picture(page, "answer-table");
    await tab("Chart").click();
    await page.getByRole("tabpanel").locator("canvas").waitFor();
    await accessible(page, "answer, chart");
    await picture(page, "answer-chart");
    for (const [name, says] of [["SQL", /select/i], ["Receipt", /^(?=[^]*orders)(?=[^]*(PostgreSQL itself|Local Spark))/], ["Code", /result = spark\.sql/]]) {
      await tab(name).click();
      await until(`${name} says ${says}`, async () => says.test((await page.getByRole("tabpanel").textContent()) ?? ""));
      await accessible(page, `answer, ${name}`);
      if (name === "Receipt") await picture(page, "receipt");
    }
    await until("where it would run and what it would take is shown before it is asked", async () => /Local Spark or PostgreSQL itself · up to .+, .+ m?s/.test((await button(/^Where it runs/).first().textContent()) ?? ""));
    await tab("Log").click();
    await accessible(page, "answer, log");
  });

  await step("export: CSV, Parquet, notebook, script, pictures of the chart", async () => {
    const menu = (item) => async () => {
      await button("Export").click();
      await page.getByRole("menuitem", { name: item }).click();
    };
    for (const [where, act, begins] of [
      ["Table", menu(/CSV/), /^\w+,/], ["Table", menu(/Parquet/), /^PAR1/], ["Table", menu(/Notebook/), /^\{/], ["Table", menu(/Python/), /./],
      ["Chart", () => button("PNG").click(), /^\x89PNG/], ["Chart", () => button("SVG").click(), /^<svg/],
    ]) {
      await tab(where).click();
      if (where === "Chart") await page.getByRole("tabpanel").locator("canvas").waitFor();
      const [download] = await Promise.all([page.waitForEvent("download"), act()]);
      const file = path.join(out, download.suggestedFilename());
      await download.saveAs(file);
      const text = readFileSync(file, "latin1");
      must(`${download.suggestedFilename()} begins with ${begins}: ${text.slice(0, 40)}`, begins.test(text));
    }
  });

  await step("edit and re-run on the same route", async () => {
    await write("result = spark.table('customers').groupBy('segment').count()");
    await accessible(page, "editor");
    await button("Run the edited code").click();
    await ended("succeeded", perMonth);
    must("Spark runs what a person has written", /Local Spark/.test((await page.getByRole("article", { name: "Run" }).locator("header").textContent()) ?? ""));
    await until("three segments", async () => /3 rows/.test((await page.getByRole("tabpanel").textContent()) ?? ""));
  });
  const edited = runId();

  await step("a violation is shown inline, with its remedy", async () => {
    await write("import subprocess\nresult = spark.table('customers')");
    await button("Run the edited code").click();
    await ended("failed", edited);
    await page.getByRole("region", { name: "Why it failed" }).waitFor();
    await tab("Code").click();
    await until("the line is marked", async () => (await page.locator(".cm-lintRange-error, .cm-lint-marker-error").count()) > 0);
    await accessible(page, "failed run");
  });
  const failed = runId();

  await step("diagnosis of a job that fails, copied", async () => {
    await write("result = spark.sql('SELECT 1 / (count(*) - count(*)) AS x FROM customers')");
    await button("Run the edited code").click();
    await ended("failed", failed);
    const note = page.getByRole("region", { name: "Why it failed" });
    await until("it says why and what to do", async () => /What to do/.test((await note.textContent()) ?? "") && /divi/i.test((await note.textContent()) ?? ""));
    await picture(page, "diagnosis");
  });
  const broken = runId();

  await step("reload in the middle of a run, then cancel", async () => {
    await write("result = spark.range(0, 10**13).selectExpr('sum(id % 7 * (id % 11)) AS s')");
    await button("Run the edited code").click();
    await until("the run is under way", async () => runId() !== broken && (await button(/^Cancel/).count()) > 0);
    const head = page.getByRole("article", { name: "Run" }).locator("header").getByRole("status");
    await until("Spark runs it", async () => (await head.textContent())?.trim() === "running", spark);
    const id = runId();
    await page.reload();
    await until("it is the same run, and goes on", async () => runId() === id && (await head.textContent())?.trim() === "running");
    await until("its steps are told again", async () => (await page.getByRole("article", { name: "Run" }).getByRole("listitem").count()) >= 3);
    await accessible(page, "running");
    await picture(page, "running");
    await page.keyboard.press("Escape");
    await ended("cancelled", broken);
  });

  await step("follow-up", async () => {
    await page.goto(`/runs/${perMonth}`);
    await page.getByRole("textbox", { name: "Follow-up question" }).fill("per year instead");
    await page.keyboard.press("Control+Enter");
    await ended("succeeded", perMonth);
    await page.getByRole("link", { name: "after an earlier run" }).waitFor();
  });
  const perYear = runId();

  await step("declined, and what could be asked instead", async () => {
    await ask("Which employee has the highest salary?");
    await ended("declined");
    await accessible(page, "declined");
    await picture(page, "declined");
    const id = runId();
    await page.getByRole("region", { name: "This could be answered" }).getByRole("button").first().click();
    await ended("succeeded", id);
  });

  await step("300 columns, right-to-left text, long names, no rows", async () => {
    const long = "a_name_of_a_column_that_does_not_end_where_one_would_like_it_to";
    const columns = ["'שלום עולם' AS `כותרת`", `'${"word ".repeat(80)}' AS ${long}`, "CAST(NULL AS STRING) AS nothing", "'' AS empty", ...Array.from({ length: 296 }, (_, i) => `${i} AS c${i}`)];
    await page.goto(`/runs/${perMonth}`);
    await write(`result = spark.sql("""SELECT ${columns.join(", ")} FROM customers""")`);
    await button("Run the edited code").click();
    await ended("succeeded", perMonth);
    await tab("Table").click();
    const grid = page.getByRole("grid", { name: "Rows" });
    const cells = grid.getByRole("gridcell");
    await until("the first cell is shown", async () => (await cells.first().textContent()) === "שלום עולם");
    must("it has 300 columns", (await grid.getAttribute("aria-colcount")) === "300");
    must("right-to-left text runs so", (await cells.first().evaluate((e) => getComputedStyle(e).direction)) === "rtl");
    must("NULL and empty text differ", (await cells.nth(2).textContent()) === "∅" && (await cells.nth(3).textContent()) === "''");
    await grid.focus();
    await page.keyboard.press("End");
    await until("the last column is reached", async () => (await page.getByRole("columnheader", { name: /^c295/ }).count()) === 1);
    must("only columns in sight are in the document", (await page.getByRole("columnheader").count()) < 60);
    await fits(page, "300 columns");
    await accessible(page, "300 columns");
    const wide = runId();
    await write("result = spark.table('customers').where('1 = 0')");
    await button("Run the edited code").click();
    await ended("succeeded", wide);
    await tab("Table").click();
    await page.getByText("The answer has no rows").waitFor();
    await accessible(page, "no rows");
    await tab("Chart").click();
    await page.getByText("There are no rows to draw").waitFor();
  });

  await step("offline: it says so, and goes on by itself", async () => {
    await page.goto("/ask");
    page.expectError(/ERR_INTERNET_DISCONNECTED/);
    await until("questions are offered", async () => (await page.getByRole("region", { name: "Questions that can be answered" }).getByRole("button").count()) > 0);
    await page.context().setOffline(true);
    await page.getByRole("textbox", { name: "Question", exact: true }).fill("How many customers are there?");
    await page.keyboard.press("Control+Enter");
    const banner = page.getByText("The server is not reached. Runs go on there");
    await banner.waitFor();
    await page.getByRole("main").getByRole("alert").waitFor();
    await accessible(page, "offline");
    await page.context().setOffline(false);
    await banner.waitFor({ state: "detached" });
    await button("Try again").click();
    await ended("succeeded");
  });

  await step("code first: approval", async () => {
    await page.goto("/ask");
    await button(/^Where it runs/).click();
    await page.getByRole("checkbox", { name: "Show me the code first" }).check();
    await page.getByRole("checkbox", { name: "Always on Spark" }).check();
    await page.keyboard.press("Escape");
    await page.getByRole("textbox", { name: "Question", exact: true }).fill("How many customers are there?");
    await button(/^Run/).click();
    await ended("awaits approval");
    await page.getByRole("region", { name: "Approval" }).waitFor();
    await accessible(page, "approval");
    must("the line of the steps is not squeezed by what stands below it", ((await page.getByRole("region", { name: "Steps" }).boundingBox())?.height ?? 0) >= 30);
    await picture(page, "approval");
    await page.getByLabel("Remark").fill("seen");
    await button("Approve and run").click();
    await ended("succeeded");
    must("it ran on Spark, as was asked", /Local Spark/.test((await page.getByRole("article", { name: "Run" }).locator("header").textContent()) ?? ""));
  });

  await step("history: search, pin, compare", async () => {
    await page.goto("/history");
    await page.getByRole("textbox", { name: "Find runs" }).fill("orders per");
    const entries = page.getByRole("list", { name: "Runs" }).getByRole("listitem");
    await until("only those are listed", async () => (await entries.count()) > 0 && (await entries.count()) < seen.size && /q=orders/.test(page.url()));
    await page.getByRole("textbox", { name: "Find runs" }).fill("");
    await until("all are listed", async () => (await entries.count()) === seen.size);
    await page.getByLabel("State").selectOption("failed");
    await until("the two that failed are listed", async () => (await entries.count()) === 2);
    await page.getByLabel("State").selectOption("");
    await until("all are listed again", async () => (await entries.count()) === seen.size);
    await entries.first().getByRole("button", { name: /^Pin/ }).click();
    await entries.first().getByRole("button", { name: /^Unpin/ }).waitFor();
    await accessible(page, "history");
    await picture(page, "history");
    for (const id of [perMonth, perYear]) await entries.filter({ has: page.locator(`a[href*="${id}"]`) }).getByRole("checkbox").check();
    await button("Compare").click();
    await page.waitForURL("**/compare/**");
    await page.getByRole("region", { name: "Rows", exact: true }).waitFor();
    await page.getByRole("region", { name: "Code" }).locator(".cm-content").first().waitFor();
    await accessible(page, "compare");
    await picture(page, "compare");
  });

  await step("connections: add, edit, remove", async () => {
    await page.goto("/connections");
    await button("Add a connection").click();
    await page.getByLabel("URL").fill("postgresql://reader@db.example.com:6432/app?sslmode=require");
    await button("Save").click();
    const one = page.getByRole("region", { name: "app", exact: true });
    await one.waitFor();
    await button("Edit app").click();
    await page.getByRole("dialog").getByText("IAM", { exact: true }).click();
    await button("Save").click();
    await until("it logs in by IAM", async () => /IAM/.test((await one.textContent()) ?? ""));
    await button("Test shop").click();
    await page.getByRole("list", { name: "What the test saw" }).waitFor({ timeout: spark });
    await accessible(page, "connections");
    await picture(page, "connections");
    await button("Remove app").click();
    await page.getByRole("dialog").getByRole("button", { name: "Remove" }).click();
    await one.waitFor({ state: "detached" });
  });

  await step("settings: changed, kept, set back; a secret is not shown again", async () => {
    await page.goto("/settings");
    await page.getByRole("textbox", { name: "Find a setting" }).fill("question chars");
    await page.getByLabel("question chars").fill("1500");
    await page.getByRole("textbox", { name: "Find a setting" }).fill("model.api_key");
    await page.getByLabel("api key", { exact: true }).fill("canary-key-77");
    await button("Save").click();
    await page.getByText("a secret is kept", { exact: true }).waitFor();
    await page.reload();
    await page.getByRole("textbox", { name: "Find a setting" }).waitFor();
    must("the secret does not come back", !(await page.content()).includes("canary-key-77"));
    await until("the value is kept", async () => (await page.getByLabel("question chars").inputValue()) === "1500");
    await accessible(page, "settings");
    await picture(page, "settings");
    await button(/default of limits.question_chars/).click();
    await button("Save").click();
    await until("the change is saved", async () => (await page.getByRole("region", { name: "Changes" }).count()) === 0);
  });

  await step("doctor", async () => {
    await page.goto("/doctor");
    await page.getByText(/Looked for/).waitFor();
    await accessible(page, "doctor");
    await picture(page, "doctor");
  });

  await step("both themes, three widths", async () => {
    const state = await page.context().storageState();
    for (const [width, scheme] of [[1440, "dark"], [768, "light"], [390, "dark"], [390, "light"]]) {
      const other = await open(browser, base, { width, height: width === 390 ? 844 : 900, scheme, state });
      for (const [at, ready] of [
        ["/ask", "#question"], [`/runs/${perMonth}`, '[role="gridcell"]'], [`/runs/${broken}`, '[aria-label="Why it failed"]'], ["/history", 'ol[aria-label="Runs"] li'],
        [`/compare/${perMonth}/${perYear}`, 'section[aria-label="Rows"]'], ["/connections", "section h2"], ["/settings", "section h2"], ["/doctor", "section h2"],
      ]) {
        const name = `${at.replace(/r_\w+/g, "ID")}, ${scheme}`;
        await other.goto(at);
        await other.locator(ready).first().waitFor({ timeout: spark });
        await fits(other, name);
        // Colours do not depend on the width, and the light theme is looked at above: here for its size only.
        if (scheme === "dark") await accessible(other, name);
        if (width !== 768 && (at === "/ask" || at.endsWith(perMonth))) await picture(other, `${at === "/ask" ? "ask" : "answer"}-${width}-${scheme}`);
      }
      await other.context().close();
    }
  });
  console.log(`${seen.size} runs, ${((Date.now() - begun) / 1000).toFixed(0)} s in all`);
} catch (e) {
  console.error(`\nthe step "${current}" at ${page.url()}: ${e instanceof Error ? e.message : e}`);
  if (wrong.length > 0) console.error(`errors in the browser:\n${wrong.join("\n")}`);
  await page.screenshot({ path: path.join(out, "failed.png") }).catch(() => undefined);
  console.error(`screenshot: ${path.join(out, "failed.png")}`);
  process.exitCode = 1;
} finally {
  await browser.close();
}
