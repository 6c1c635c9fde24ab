// Addresses that somebody may have made with bad intent: each is refused with one sentence, on the screen
// and in words, and what was open stays as it was.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { deflateRawSync, deflateSync, gzipSync } from "node:zlib";
import { hear } from "./keyboard.mjs";
import { SMALL, launch, openMachine, rest, stateOf } from "./page.mjs";

const MARKUP = "<img src=x onerror=document.title='taken'><script>document.title='taken'</script>";
const zeros = Buffer.alloc(32 << 20);
const inLink = (bytes) => `#m=1.${bytes.toString("base64url")}`;

/** Addresses, and what is said of them where it is known word for word. */
const HOSTILE = [
  ["#lesson=one-tabel", "unknown lesson `one-tabel`: did you mean `one-table`?"],
  ["#lesson=", null],
  [`#lesson=${MARKUP}`, null],
  [`#lesson=${"x".repeat(100_000)}`, null],
  ["#lesson=__proto__", null],
  ["#lesson=../../etc/passwd", null],
  ["#lesson=one-table&step=99", null],
  ["#lesson=one-table&step=0", null],
  ["#lesson=one-table&step=-1", null],
  ["#lesson=one-table&step=1.5", null],
  ["#lesson=one-table&step=1e400", null],
  ["#lesson=one-table&step=alert(1)", null],
  ["#m=", null],
  ["#m=1.", null],
  ["#m=1.AA", "this link is not complete: its end is missing"],
  ["#m=9.AA", "this link has version `9`: this program reads version 1"],
  ["#m=1.%00%00%00%00", null],
  ["#m=1.💥💥💥💥", null],
  [`#m=1.${MARKUP}`, null],
  [`#m=${MARKUP}.AA`, null],
  [`#m=1.${"A".repeat(1 << 20)}`, null],
  // What unpacks to far more than it is.
  [inLink(deflateRawSync(zeros)), null],
  [inLink(deflateSync(zeros)), null],
  [inLink(gzipSync(zeros)), null],
];

let browser;
let page;
let complaints;

before(async () => {
  browser = await launch();
  ({ page, complaints } = await openMachine(browser, "", SMALL));
  await rest(page);
  await page.evaluate(() => {
    window.refused = [];
    window.lab.on("error", (sentence) => window.refused.push(sentence));
  });
});

after(() => browser?.close());

test("what cannot be opened is refused with a sentence and has no effect", async () => {
  const [state, title] = [await stateOf(page), await page.title()];
  for (const [hash, sentence] of HOSTILE) {
    const shown = hash.slice(0, 60);
    const count = await page.evaluate((hostile) => {
      const before = window.refused.length;
      location.hash = hostile;
      return before;
    }, hash);
    await page.waitForFunction((before) => window.refused.length > before, count).catch(() => assert.fail(`taken: ${shown}`));
    const said = (await page.evaluate(() => window.refused)).at(-1);
    assert.ok(said.length > 10 && said.length < 400 && !said.includes("\n"), `${shown}: ${said}`);
    assert.equal(said, sentence ?? said);
    await hear(page, said);
    assert.deepEqual(await stateOf(page), state, shown);
  }
  assert.ok(await page.locator("#failure").isHidden());
  assert.equal(await page.title(), title);
  assert.equal(await page.locator("img, body script").count(), 0, "markup stays text");
  assert.deepEqual(complaints, []);
});

test("a page that opens on one of them opens without it and says why", async () => {
  for (const [hash, sentence] of HOSTILE.filter(([, words]) => words)) {
    const { page: opened, complaints: of } = await openMachine(browser, hash, SMALL);
    await hear(opened, sentence);
    assert.equal((await stateOf(opened)).commands, 6, "the example is open");
    assert.deepEqual(of, []);
    await opened.close();
  }
});
