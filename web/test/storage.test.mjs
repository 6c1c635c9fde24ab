// Nothing is lost: a reload in the middle of a drag, a full storage, two tabs at once of which one
// crashes. At most the last two seconds may be missing, and what is offered is never an older state.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { hear, press, pressOn, spoken } from "./keyboard.mjs";
import { PAGE, SMALL, WINDOW, launch, rest, started, stateOf, tab } from "./page.mjs";

/** What is lost at most, in milliseconds. */
const LOST = 2000;
const OFFER = /^Restore it/;

let browser;

before(async () => {
  browser = await launch();
});

after(() => browser?.close());

/** A browser of somebody: its tabs share one storage. */
const somebody = () => browser.newContext(SMALL);

async function openTab(context, place = "") {
  const opened = await tab(context);
  await opened.page.goto(PAGE + place);
  await started(opened.page);
  await rest(opened.page);
  return opened;
}

/** Gives commands for a while and returns when each was given and how many there were then. */
async function work(page, milliseconds, value) {
  return page.evaluate(
    async ([duration, val]) => {
      const done = [];
      const end = performance.now() + duration;
      while (performance.now() < end) {
        window.lab.run(JSON.stringify([{ op: "poke", pa: "0x8000", val: val + done.length }]));
        done.push({ time: Date.now(), hash: JSON.parse(window.lab.state()).state_hash });
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      return done;
    },
    [milliseconds, value],
  );
}

/** Asserts that a state is one of those that were there at most two seconds before the end. */
function assertNotOlder(hash, done, end) {
  const at = done.findIndex((state) => state.hash === hash);
  assert.notEqual(at, -1, "it is one of the states that there were");
  const next = done[at + 1];
  assert.ok(!next || end - next.time <= LOST, `lost: ${next && end - next.time} ms`);
}

/** Takes what is offered. */
async function takeOffer(page) {
  await pressOn(page, OFFER);
  await rest(page);
  return (await stateOf(page)).state_hash;
}

test("a reload in the middle of a drag", async () => {
  // At full density: where Chromium plays another one, the canvas is not where the pointer says.
  const context = await browser.newContext({ ...WINDOW, reducedMotion: "reduce" });
  const { page, complaints } = await openTab(context);
  await page.keyboard.press("End");
  const done = await work(page, 4500, 0x1000);
  // Somebody drags along the line of time.
  const { width, height } = page.viewportSize();
  const { cursor } = await stateOf(page);
  await page.mouse.move(0.3 * width, height - 70);
  await page.mouse.down();
  await page.mouse.move(0.1 * width, height - 70, { steps: 4 });
  await rest(page);
  assert.ok((await stateOf(page)).cursor < cursor, "it was dragged");
  const end = Date.now();
  await page.reload();
  await page.mouse.up();
  await started(page);
  await rest(page);
  await takeOffer(page);
  await press(page, "End");
  assertNotOlder((await stateOf(page)).state_hash, done, end);
  assert.deepEqual(complaints, []);
  await context.close();
});

test("nothing is offered to somebody who has done nothing", async () => {
  const context = await somebody();
  const first = await openTab(context);
  await first.page.reload();
  await started(first.page);
  await rest(first.page);
  assert.ok(!(await spoken(first.page)).some((line) => OFFER.test(line)));
  await context.close();
});

test("a full storage: it is said, nothing older takes the place of the work, and room is used again", async () => {
  const context = await somebody();
  const { page, complaints } = await openTab(context);
  const filled = await page.evaluate(() => {
    let size = 1 << 20;
    for (let number = 0; size > 0; number += 1) {
      try {
        localStorage.setItem(`other-${number}`, "x".repeat(size));
      } catch {
        size >>= 1;
      }
    }
    return Object.keys(localStorage).length;
  });
  assert.ok(filled > 0);
  const before = await work(page, 500, 0x1000);
  await hear(page, "no room");
  assert.equal((await stateOf(page)).state_hash, before.at(-1).hash, "the work goes on");
  await page.evaluate(() => {
    for (const key of Object.keys(localStorage).filter((name) => name.startsWith("other-"))) {
      localStorage.removeItem(key);
    }
  });
  const done = await work(page, 3000, 0x2000);
  const end = Date.now();
  await page.reload();
  await started(page);
  await rest(page);
  assertNotOlder(await takeOffer(page), done, end);
  assert.deepEqual(complaints, []);
  await context.close();
});

/** Ends a tab's process; Chromium never answers the command that does it. */
async function crash(page) {
  const session = await page.context().newCDPSession(page);
  const gone = page.waitForEvent("crash", { timeout: 20_000 });
  session.send("Page.crash").catch(() => {});
  await gone;
}

test("two tabs at once, and one of them crashes", async () => {
  const context = await somebody();
  const { page: one } = await openTab(context);
  const { page: other } = await openTab(context);
  const [kept, lost] = [await work(one, 2500, 0x1000), await work(other, 2500, 0x5000)];
  const end = Date.now();
  await crash(other);
  const more = await work(one, 2500, 0x2000);
  const { page: third, complaints } = await openTab(context);
  // The work of the tab that crashed is offered, not that of the one that goes on, which is newer.
  assertNotOlder(await takeOffer(third), lost, end);
  assert.equal((await stateOf(one)).state_hash, more.at(-1).hash);
  assert.ok(kept.length > 0);
  assert.deepEqual(complaints, []);
  await Promise.race([context.close(), new Promise((resolve) => setTimeout(resolve, 5000))]);
});
