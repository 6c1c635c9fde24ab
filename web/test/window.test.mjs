// The page as a person meets it: what it loads, the keyboard, the words for screen readers, and
// that it rests when nothing changes.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { PAGE, launch, openMachine, rest, stateOf } from "./page.mjs";

const picture = fileURLToPath(new URL("../../target/web-1280x720.png", import.meta.url));

let browser;
let page;
let complaints;
let requests;

before(async () => {
  browser = await launch();
  ({ page, complaints, requests } = await openMachine(browser));
  await rest(page);
});

after(() => browser?.close());

async function press(key) {
  await page.keyboard.press(key);
  await rest(page);
}

test("the example is open, at its start", async () => {
  const { cursor, commands, mode } = await stateOf(page);
  assert.deepEqual([cursor, commands, mode], [0, 6, "pae"]);
  assert.ok(await page.locator("#shell").isHidden());
});

test("nothing is fetched from elsewhere", () => {
  assert.deepEqual(requests.filter((url) => !url.startsWith(PAGE) && !/^(data|blob):/.test(url)), []);
});

test("there is a picture", async () => {
  const png = await page.screenshot({ path: picture });
  const colours = await page.evaluate(async (bytes) => {
    const image = await createImageBitmap(new Blob([new Uint8Array(bytes)], { type: "image/png" }));
    const context = new OffscreenCanvas(image.width, image.height).getContext("2d");
    context.drawImage(image, 0, 0);
    const { data } = context.getImageData(0, 0, image.width, image.height);
    return new Set(new Uint32Array(data.buffer)).size;
  }, [...png]);
  assert.ok(colours > 32, `${colours} colours`);
});

test("it rests: no frame in five seconds", async () => {
  const painted = () => page.evaluate(() => [window.lab.frames(), window.drawCalls]);
  const start = await painted();
  assert.ok(start[0] > 0 && start[1] > 0, "it has painted before");
  await page.waitForTimeout(5000);
  assert.deepEqual(await painted(), start);
});

test("Right steps, Left steps back", async () => {
  for (let cursor = 1; cursor <= 6; cursor += 1) {
    await press("ArrowRight");
    assert.equal((await stateOf(page)).cursor, cursor);
  }
  const end = await stateOf(page);
  assert.equal(end.cr2, "0x41201abc");
  for (let cursor = 5; cursor >= 2; cursor -= 1) {
    await press("ArrowLeft");
    assert.equal((await stateOf(page)).cursor, cursor);
  }
  assert.ok((await stateOf(page)).pdptes[1].stale, "back where the register remembers");
});

test("each step was told in words", async () => {
  const lines = await page.locator("#transcript p").allTextContents();
  assert.ok(lines.some((line) => line.startsWith("#1 user read GVA 0x4120_1abc. The access succeeds")), lines.join("\n"));
  assert.ok(lines.some((line) => line.includes("The access faults: #PF, error code 0x4")), lines.join("\n"));
});

test("the console stayed clean", () => assert.deepEqual(complaints, []));
