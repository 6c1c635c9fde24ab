// What the page says when the machine cannot run: words instead of an empty or frozen canvas.

import assert from "node:assert/strict";
import { test } from "node:test";
import { PAGE, launch, openMachine, tab } from "./page.mjs";

async function withBrowser(options, use) {
  const browser = await launch(options);
  try {
    await use(browser);
  } finally {
    await browser.close();
  }
}

async function failureOf(page) {
  await page.locator("#failure").waitFor({ state: "visible" });
  assert.ok(await page.locator("#screen").isHidden());
  assert.ok(await page.locator("#reload").isVisible());
  return page.locator("#failure").innerText();
}

test("without WebGL", () =>
  withBrowser({ webgl: false }, async (browser) => {
    const { page } = await tab(browser);
    await page.goto(PAGE);
    const text = await failureOf(page);
    assert.match(text, /The machine cannot start/);
    assert.match(text, /this browser cannot draw the machine: .*WebGL/s);
  }));

test("without the program", () =>
  withBrowser({}, async (browser) => {
    const { page } = await tab(browser);
    await page.route("**/*.wasm", (route) => route.fulfill({ status: 404 }));
    await page.goto(PAGE);
    const text = await failureOf(page);
    assert.match(text, /The program did not arrive/);
    assert.match(text, /mmuscope_bg\.wasm: the server answers 404/);
  }));

test("when the graphics device goes, and when the program stops", () =>
  withBrowser({}, async (browser) => {
    const { page: first } = await openMachine(browser);
    await first.evaluate(() => {
      const canvas = document.getElementById("screen");
      canvas.getContext("webgl2").getExtension("WEBGL_lose_context").loseContext();
    });
    assert.match(await failureOf(first), /The picture is gone/);

    const { page: second } = await openMachine(browser);
    assert.equal(await second.evaluate(() => window.lab.failure()), undefined);
    await second.evaluate(() => {
      // There is no known way to stop it for real: put the words of a stop in its place.
      window.lab.failure = () => "panicked at src/lab/mod.rs";
      window.dispatchEvent(new ErrorEvent("error"));
    });
    assert.match(await failureOf(second), /The program has stopped[^]*panicked at src\/lab\/mod\.rs/);
  }));

test("without scripts", () =>
  withBrowser({}, async (browser) => {
    const context = await browser.newContext({ javaScriptEnabled: false });
    const page = await context.newPage();
    await page.goto(PAGE);
    assert.match(await page.locator("noscript").innerText(), /needs JavaScript and WebAssembly/);
  }));
