// The first example of the README through the page API, and what the API answers to wrong input.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { launch, openMachine } from "./page.mjs";

const file = new URL("../../assets/scenarios/the-register-remembers.json", import.meta.url);
const example = JSON.parse(await readFile(file, "utf8"));

let browser;
let page;
let complaints;

before(async () => {
  browser = await launch();
  ({ page, complaints } = await openMachine(browser));
  await page.evaluate(async () => {
    ({ Lab: window.Lab } = await import(new URL("mmuscope.js", location.href).href));
  });
});

after(() => browser?.close());

/** Starts a lab of its own on a second canvas; returns the sentence of the error if there is one. */
function start(options) {
  return page.evaluate(async (given) => {
    const canvas = document.createElement("canvas");
    canvas.style.cssText = "position: fixed; width: 320px; height: 180px";
    document.body.append(canvas);
    try {
      window.second = await window.Lab.start(canvas, given);
      return null;
    } catch (error) {
      canvas.remove();
      return error instanceof Error ? error.message : `no Error: ${error}`;
    }
  }, options);
}

/** Runs steps, given as JSON text, on the second lab. */
function run(steps) {
  return page.evaluate((text) => {
    try {
      return { events: JSON.parse(window.second.run(text)) };
    } catch (error) {
      return { error: error instanceof Error ? error.message : `no Error: ${error}` };
    }
  }, steps);
}

const state = async () => JSON.parse(await page.evaluate(() => window.second.state()));

/** Runs step `number` of the example and returns the events by name. */
async function step(number) {
  const { events, error } = await run(JSON.stringify([example.steps[number - 1]]));
  assert.equal(error, undefined);
  assert.equal((await state()).cursor, number);
  return (name) => events.find((event) => event.event === name);
}

test("the register remembers, step by step", async () => {
  const { steps, mem_after, ...machine } = example;
  assert.equal(await start({ scenario: machine }), null);
  await page.evaluate(() => {
    window.heard = [];
    window.second.on("event", (json, sentence) => window.heard.push([JSON.parse(json), sentence]));
  });
  const begin = await state();
  assert.deepEqual([begin.cursor, begin.mode, begin.regs.cr3], [0, "pae", "0x3020"]);
  assert.deepEqual(begin.pdptes[1], { register: "0x6001", memory: "0x6001", stale: false });

  const first = await step(1);
  assert.equal(first("translated").gpa, "0x2babc");
  assert.equal(first("walk_read").from, "pdpte_register");

  await step(2);
  assert.deepEqual((await state()).pdptes[1], { register: "0x6001", memory: "0x9001", stale: true });

  await step(3);
  const again = await step(4);
  assert.equal(again("translated").gpa, "0x2babc", "the register still leads to the old table");
  assert.ok((await state()).pdptes[1].stale);

  const load = await step(5);
  assert.equal(load("pdpte_load").new[1], "0x9001");
  assert.deepEqual((await state()).pdptes[1], { register: "0x9001", memory: "0x9001", stale: false });

  const last = await step(6);
  const { vector, err, cr2 } = last("fault");
  assert.deepEqual([vector, err, cr2], ["PF", "0x4", "0x41201abc"]);
  assert.equal((await state()).cr2, "0x41201abc");

  const heard = await page.evaluate(() => window.heard);
  assert.equal(heard.at(-1)[0].event, "fault");
  assert.match(heard.at(-1)[1], /^#PF: /);
});

test("the same steps at once leave the same machine", async () => {
  const one_by_one = await state();
  assert.equal(await start({ scenario: JSON.stringify({ ...example, steps: [], mem_after: undefined }) }), null);
  const { events } = await run(JSON.stringify(example.steps));
  assert.equal(events.filter((event) => event.event === "translated").length, 2);
  assert.deepEqual(await state(), one_by_one);
});

test("wrong steps give a sentence and change nothing", async () => {
  const untouched = await state();
  await page.evaluate(() => {
    window.told = [];
    window.second.on("error", (sentence) => window.told.push(sentence));
  });
  const cases = [
    ['[{"op":"access",', /^steps:1:\d+: EOF while parsing/],
    ['[{"op":"invlpg","va":"0x1000"},{"op":"pok","pa":"0x10","val":"0x0"}]', /^steps:1:\d+: unknown op `pok`: did you mean `poke`\? \(at \[1\]\)$/],
    ['[{"op":"poke","pa":"0x10"}]', /`poke` needs the field `val`/],
    ['[{"op":"poke","pa":"0xzz","val":1}]', /`0xzz` is not a hex number/],
    ['{"op":"invlpg","va":"0x0"}', /^steps:1:0: invalid type: map, expected a sequence/],
    ["", /^steps:1:0: EOF/],
  ];
  for (const [steps, sentence] of cases) {
    const { error } = await run(steps);
    assert.match(error ?? "no error", sentence);
    assert.equal((await page.evaluate(() => window.told)).at(-1), error);
  }
  assert.deepEqual(await state(), untouched);
});

test("options that cannot be give a sentence", async () => {
  const cases = [
    [{ lesson: "first" }, /^unknown lesson `first`/],
    [{ lesson: "one-table", step: 99 }, /^`step` must be a number from 1 to \d+$/],
    [{ link: "#m=1.AA" }, "this link is not complete: its end is missing"],
    [{ theme: "pink" }, '`theme` must be "dark" or "light" or "high-contrast" or "projector" in this version'],
    [{ view: "present" }, '`view` must be "full" or "embed" in this version'],
    ["scenario", "the options of Lab.start must be an object"],
    [{ scenario: 7 }, /^scenario:1:\d+: an object in braces is expected here/],
    [{ scenario: "{" }, /^scenario:1:1: EOF while parsing/],
    [{ scenario: { ...example, cput: {} } }, /^scenario:1:\d+: unknown field `cput`: did you mean `cpu`\?/],
  ];
  for (const [options, sentence] of cases) {
    const error = await start(options);
    if (typeof sentence === "string") {
      assert.equal(error, sentence);
    } else {
      assert.match(error ?? "no error", sentence);
    }
  }
  const name = await page.evaluate(() => {
    try {
      window.second.on("evnt", () => {});
      return null;
    } catch (error) {
      return error.message;
    }
  });
  assert.equal(name, "unknown event `evnt`: did you mean `event`?");
});

test("a listener may call back and may fail", async () => {
  const cursor = (await state()).cursor;
  const seen = await page.evaluate(() => {
    const seen = [];
    window.second.on("event", () => seen.push(JSON.parse(window.second.state()).cursor));
    window.second.run('[{"op":"invlpg","va":"0x0"}]');
    return seen;
  });
  assert.deepEqual([...new Set(seen)], [cursor + 1]);
});

test("a destroyed lab says so", async () => {
  const sentence = await page.evaluate(() => {
    window.second.destroy();
    try {
      return window.second.state();
    } catch (error) {
      return error.message;
    }
  });
  assert.equal(sentence, "this lab is destroyed");
});

test("the console stayed clean", () => assert.deepEqual(complaints, []));
