// The story that the tool is about, told by somebody at the keyboard who does not see the canvas: a
// PDPTE is changed in memory, the register remembers, CR3 is loaded, the access faults; then back to the
// start, another way, and back again.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { focusOn, hear, press, pressOn } from "./keyboard.mjs";
import { SMALL, launch, openMachine, rest, shown, stateOf } from "./page.mjs";

const file = new URL("../../assets/scenarios/the-register-remembers.json", import.meta.url);
const { steps, mem_after, ...machine } = JSON.parse(await readFile(file, "utf8"));

/** What the stage and the drawer hold is nearer from the end. */
const BACK = "Shift+Tab";

let browser;
let page;
let complaints;

before(async () => {
  browser = await launch();
  ({ page, complaints } = await openMachine(browser, "", SMALL));
  await rest(page);
});

after(() => browser?.close());

const pdpte = async () => (await stateOf(page)).pdptes[1];

test("the scenario is loaded, and an access composed", async () => {
  await page.evaluate((scenario) => window.lab.open({ scenario }), { ...machine, engine: "native" });
  await rest(page);
  assert.equal((await stateOf(page)).commands, 0);
  await press(page, "Control+k");
  await page.keyboard.type("0x41201abc");
  await shown(page);
  await press(page, "Enter");
  await rest(page);
  await press(page, "a");
  await hear(page, "#1 user read GVA 0x4120_1abc. The access succeeds");
  assert.deepEqual(await pdpte(), { register: "0x6001", memory: "0x6001", stale: false });
});

test("PDPTE 1 is changed in memory: the register is STALE", async () => {
  await pressOn(page, /^PDPTE 1 memory: 0x/, BACK);
  await focusOn(page, /^Value of the entry in hex/, BACK);
  await page.keyboard.press("Control+a");
  await page.keyboard.type("0x9001");
  await press(page, "Enter");
  await rest(page);
  assert.deepEqual(await pdpte(), { register: "0x6001", memory: "0x9001", stale: true });
  await focusOn(page, /^PDPTE 1 STALE/);
});

test("an access goes through the old register", async () => {
  await press(page, "Escape");
  await press(page, "a");
  await rest(page);
  const { cursor, cr2 } = await stateOf(page);
  assert.deepEqual([cursor, cr2], [3, "0x0"]);
  await hear(page, "#3 user read GVA 0x4120_1abc. The access succeeds");
  assert.ok((await pdpte()).stale);
});

test("CR3 is loaded: fresh; the access faults", async () => {
  await press(page, "c");
  await rest(page);
  assert.deepEqual(await pdpte(), { register: "0x9001", memory: "0x9001", stale: false });
  await press(page, "a");
  await hear(page, "#5 user read GVA 0x4120_1abc. The access faults: #PF");
  const { cursor, cr2 } = await stateOf(page);
  assert.deepEqual([cursor, cr2], [5, "0x41201abc"]);
});

test("Why says why", async () => {
  await press(page, "w");
  await hear(page, "The access faults: #PF, error code 0x4");
});

test("back to the start, another way, and back", async () => {
  await press(page, "Home");
  await rest(page);
  const start = await stateOf(page);
  assert.deepEqual([start.cursor, start.commands, start.cr2], [0, 5, "0x0"]);
  await press(page, "c");
  await rest(page);
  const branch = await stateOf(page);
  assert.deepEqual([branch.cursor, branch.commands], [1, 1]);
  await pressOn(page, /^Go to branch/);
  await press(page, "End");
  await rest(page);
  const again = await stateOf(page);
  assert.deepEqual([again.cursor, again.commands, again.cr2], [5, 5, "0x41201abc"]);
});

test("the console stayed clean", () => assert.deepEqual(complaints, []));
