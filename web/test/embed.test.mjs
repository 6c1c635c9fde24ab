// The page in a frame of a page from elsewhere: it talks to its host, and to nobody else.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { after, before, test } from "node:test";
import { PAGE, SMALL, launch, started, tab } from "./page.mjs";
import { pressOn } from "./keyboard.mjs";

const file = new URL("../../assets/scenarios/the-register-remembers.json", import.meta.url);
const example = JSON.parse(await readFile(file, "utf8"));

/** Serves one page at an address of its own, which makes it another origin than the machine's. */
async function elsewhere(body) {
  const server = createServer((_, answer) => {
    answer.setHeader("content-type", "text/html");
    answer.end(`<!doctype html><title>Lecture</title>${body}`);
  });
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  return { server, address: `http://127.0.0.1:${server.address().port}/` };
}

let browser;
let host;
let frame;
let complaints;

const servers = [];

/** A page from elsewhere with the machine in a frame and a hostile frame beside it. */
async function embed(place) {
  const sibling = await elsewhere("");
  const lecture = await elsewhere(`<script>
      window.heard = [];
      addEventListener("message", ({ source, data }) => {
        if (source === document.getElementById("machine").contentWindow) heard.push(data);
      });
    </script>
    <iframe id="machine" src="${PAGE}index.html?embed=1${place}" width="1000" height="600"></iframe>
    <iframe id="sibling" src="${sibling.address}"></iframe>`);
  servers.push(sibling.server, lecture.server);
  const opened = await tab(browser, SMALL);
  await opened.page.goto(lecture.address);
  const machine = await (await opened.page.locator("#machine").elementHandle()).contentFrame();
  await started(machine);
  return { host: opened.page, frame: machine, complaints: opened.complaints };
}

before(async () => {
  browser = await launch();
  ({ host, frame, complaints } = await embed(""));
});

after(async () => {
  await browser?.close();
  servers.forEach((server) => server.close());
});

/** Sends a message from the host and returns the answer to it. */
function ask(message) {
  return host.evaluate(async (sent) => {
    const id = `q${Math.random()}`;
    const answer = new Promise((resolve) => {
      addEventListener("message", ({ data }) => data?.id === id && resolve(data));
      setTimeout(() => resolve({ error: "no answer" }), 20_000);
    });
    document.getElementById("machine").contentWindow.postMessage({ mmuscope: 1, id, ...sent }, "*");
    return answer;
  }, message);
}

test("it says that it is ready, opens what it is given, runs steps and tells of them", async () => {
  await host.waitForFunction(() => window.heard.some(({ type }) => type === "ready"));
  const { steps, mem_after, ...machine } = example;
  assert.equal((await ask({ type: "open", scenario: machine })).error, undefined);
  const { events } = await ask({ type: "run", steps });
  assert.equal(events.filter(({ event }) => event === "translated").length, 2);
  const { state } = await ask({ type: "state" });
  assert.deepEqual([state.cursor, state.cr2, state.mode], [6, "0x41201abc", "pae"]);
  await host.waitForFunction(() => window.heard.some(({ type, event }) => type === "event" && event.event === "fault"));
  const { link } = await ask({ type: "link" });
  assert.match(link, /^#m=1\./);
  assert.equal((await ask({ type: "open", link })).error, undefined);
  assert.deepEqual((await ask({ type: "state" })).state, state);
});

test("what is wrong is answered with a sentence and has no effect", async () => {
  const { state } = await ask({ type: "state" });
  const cases = [
    [{ type: "evaluate", steps: "alert(1)" }, /^unknown type: known are run, state, link, open$/],
    [{ type: "constructor" }, /^unknown type/],
    [{ type: "__proto__" }, /^unknown type/],
    [{ type: 7 }, /^unknown type/],
    [{ type: "run", steps: [{ op: "pok" }] }, /did you mean `poke`/],
    [{ type: "run", steps: "window.parent.document.title = 'x'" }, /^steps:1:1: /],
    [{ type: "run", steps: `${"[".repeat(2000)}${"]".repeat(2000)}` }, /^steps:1:\d+: /],
    [{ type: "open" }, "name one of `scenario`, `link` and `lesson`"],
    [{ type: "open", link: "#m=1.AA" }, "this link is not complete: its end is missing"],
    [{ type: "open", lesson: "one-tabel" }, /did you mean `one-table`/],
    [{ type: "open", scenario: { title: { en: "<img src=x onerror=alert(1)>" }, ram: "0x" } }, /^scenario:1:\d+: /],
  ];
  for (const [message, sentence] of cases) {
    const { error } = await ask(message);
    if (typeof sentence === "string") {
      assert.equal(error, sentence);
    } else {
      assert.match(error ?? "no error", sentence);
    }
  }
  for (const junk of [null, 1, "run", [], { type: "run" }, { mmuscope: 2, type: "run" }, { mmuscope: "1", type: "state" }]) {
    await host.evaluate((data) => document.getElementById("machine").contentWindow.postMessage(data, "*"), junk);
  }
  assert.deepEqual((await ask({ type: "state" })).state, state);
});

test("markup in what it is given stays text", async () => {
  const title = { en: "<img src=x onerror='document.title=1'><script>document.title = 2</script>" };
  assert.equal((await ask({ type: "open", scenario: { ...example, title, steps: [{ op: "note", text: title }] } })).error, undefined);
  const found = await frame.evaluate(() => [document.title, document.querySelectorAll("img, body script").length]);
  assert.deepEqual(found, ["mmuscope: x86 address translation as a living machine", 0]);
  assert.equal((await ask({ type: "open", scenario: example })).error, undefined);
});

test("messages of other windows are not acted on", async () => {
  const { state } = await ask({ type: "state" });
  const sibling = await (await host.locator("#sibling").elementHandle()).contentFrame();
  const steps = [{ op: "mov_cr3", val: "0x0" }];
  await sibling.evaluate((given) => {
    for (let number = 0; number < window.parent.frames.length; number += 1) {
      const target = window.parent.frames[number];
      target.postMessage({ mmuscope: 1, type: "run", id: "sibling", steps: given }, "*");
      target.postMessage({ mmuscope: 1, type: "open", lesson: "one-table" }, "*");
    }
  }, steps);
  // A window that the machine's own frame knows, and the frame itself, are not its parent either.
  await frame.evaluate((given) => window.postMessage({ mmuscope: 1, type: "run", id: "self", steps: given }, "*"), steps);
  // Messages come in the order in which they are sent: what is asked now is answered after them.
  assert.deepEqual((await ask({ type: "state" })).state, state);
  const answered = await host.evaluate(() => window.heard.filter(({ id }) => ["sibling", "self"].includes(id)));
  assert.deepEqual(answered, []);
});

test("a page that is not in a frame answers nobody", async () => {
  const { page } = await tab(browser);
  await page.goto(`${PAGE}index.html?embed=1`);
  await started(page);
  const cursor = await page.evaluate(async () => {
    const arrived = new Promise((resolve) => window.addEventListener("message", resolve, { once: true }));
    window.postMessage({ mmuscope: 1, type: "run", steps: [{ op: "invlpg", va: "0x0" }] }, "*");
    await arrived;
    return JSON.parse(window.lab.state()).commands;
  });
  assert.equal(cursor, 6);
  await page.close();
});

test("a lesson in a frame tells of its goals and of its place", async () => {
  const lesson = JSON.parse(await readFile(new URL("../../lessons/one-table.json", import.meta.url), "utf8"));
  const number = lesson.steps.findIndex(({ kind }) => kind === "construct") + 1;
  assert.equal((await ask({ type: "open", lesson: "one-table", step: number })).error, undefined);
  await host.waitForFunction(
    (place) => window.heard.some((data) => data.type === "place" && data.place === place),
    `#lesson=one-table&step=${number}`,
  );
  assert.match((await ask({ type: "run", steps: [{ op: "mov_cr3", val: "0x0" }] })).error ?? "no error", /mov_cr3/);
  assert.equal((await ask({ type: "run", steps: lesson.steps[number - 1].solution })).error, undefined);
  await host.waitForFunction(
    (step) => window.heard.some((data) => data.type === "goal" && data.lesson === "one-table" && data.step === step),
    number,
  );
  await host.waitForFunction(() => window.heard.some(({ type }) => type === "progress"));
});

test("nothing is kept, and a page of its own shows the same state", async () => {
  assert.equal((await ask({ type: "open", scenario: example })).error, undefined);
  assert.equal((await ask({ type: "run", steps: [{ op: "mov_cr3", val: "0x3020" }] })).error, undefined);
  const { state } = await ask({ type: "state" });
  assert.deepEqual(await frame.evaluate(() => Object.keys(localStorage)), []);
  const opens = host.context().waitForEvent("page");
  await frame.locator("#screen").focus();
  await pressOn(frame, "Open in a page of its own");
  const full = await opens;
  await started(full);
  assert.ok(full.url().startsWith(`${PAGE}index.html#m=1.`), full.url());
  assert.deepEqual(JSON.parse(await full.evaluate(() => window.lab.state())), state);
  await full.close();
});

test("the console stayed clean", () => assert.deepEqual(complaints, []));
