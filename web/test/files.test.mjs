// Ways in and out of the page: the browser's file picker, its downloads, a drop, the clipboard.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { hear, press } from "./keyboard.mjs";
import { PAGE, SMALL, launch, rest, started, stateOf, tab } from "./page.mjs";

const preset = async (id) => readFile(new URL(`../../assets/presets/${id}.json`, import.meta.url), "utf8");
const FOUR_LEVELS = await preset("four-levels");
const TWO_LEVELS = await preset("two-levels");

let browser;
let context;
let page;
let complaints;

before(async () => {
  browser = await launch();
  context = await browser.newContext(SMALL);
  await context.grantPermissions(["clipboard-read", "clipboard-write"], { origin: new URL(PAGE).origin });
  ({ page, complaints } = await tab(context));
  // Somebody listens all the time: Chromium would ask the system for a file in between.
  page.on("filechooser", () => {});
  await page.goto(PAGE);
  await started(page);
  await rest(page);
});

after(() => browser?.close());

/** Waits until a machine of that paging mode is open. */
const opened = (mode) => page.waitForFunction((wanted) => JSON.parse(window.lab.state()).mode === wanted, mode);

/** Chooses a file in the browser's picker. */
async function choose(name, text) {
  const asked = page.waitForEvent("filechooser");
  await page.keyboard.press("Control+o");
  const chooser = await asked;
  await chooser.setFiles({ name, mimeType: "application/json", buffer: Buffer.from(text) });
}

/** Drops a file on the machine, as the browser tells of it. */
async function drop(name, text) {
  const data = await page.evaluateHandle(
    ([called, content]) => {
      const transfer = new DataTransfer();
      transfer.items.add(new File([content], called, { type: "application/json" }));
      return transfer;
    },
    [name, text],
  );
  await page.dispatchEvent("#screen", "dragover", { dataTransfer: data });
  await page.dispatchEvent("#screen", "drop", { dataTransfer: data });
}

const copy = (text) => page.evaluate((words) => navigator.clipboard.writeText(words), text);

test("a file is chosen and opened", async () => {
  await choose("four-levels.json", FOUR_LEVELS);
  await opened("level4");
});

test("what is open is saved, and what was saved opens the same machine again", async () => {
  await press(page, "End");
  const state = await stateOf(page);
  const asked = page.waitForEvent("download");
  await page.keyboard.press("Control+s");
  const download = await asked;
  assert.match(download.suggestedFilename(), /^[a-z0-9-]+\.json$/);
  const saved = await readFile(await download.path(), "utf8");
  assert.equal(JSON.parse(saved).format, "mmuscope/1");
  await hear(page, download.suggestedFilename());
  await choose("two-levels.json", TWO_LEVELS);
  await opened("bits32");
  await choose(download.suggestedFilename(), saved);
  await opened("level4");
  await press(page, "End");
  assert.equal((await stateOf(page)).state_hash, state.state_hash);
});

test("a file is dropped", async () => {
  await drop("two-levels.json", TWO_LEVELS);
  await opened("bits32");
});

test("a link is pasted, by its key and by the menu", async () => {
  const link = await page.evaluate(() => window.lab.link());
  await choose("four-levels.json", FOUR_LEVELS);
  await opened("level4");
  await copy(`${PAGE}${link}`);
  await page.locator("#screen").focus();
  await page.keyboard.press("Control+v");
  await opened("bits32");
  await copy(FOUR_LEVELS);
  await press(page, "Control+k");
  await page.keyboard.type("Paste a scenario");
  await press(page, "Enter");
  await opened("level4");
});

test("a link is copied", async () => {
  await press(page, "Control+k");
  await page.keyboard.type("Copy a link");
  await press(page, "Enter");
  await page.waitForFunction(async (begin) => (await navigator.clipboard.readText()).startsWith(begin), `${PAGE}#m=1.`);
});

test("what cannot be read is refused with a sentence, and what was open stays", async () => {
  const state = await stateOf(page);
  await choose("broken.json", '{"format":"mmuscope/1","stepz":[]}');
  await hear(page, "broken.json:1:");
  await drop("empty.json", "");
  await hear(page, "empty.json is empty");
  await copy("{");
  await page.keyboard.press("Control+v");
  await hear(page, "the clipboard:1:1");
  assert.deepEqual(await stateOf(page), state);
});

test("the console stayed clean", () => assert.deepEqual(complaints, []));
