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

test("without the program, and when the graphics device goes", () =>
  withBrowser({}, async (browser) => {
    const { page } = await tab(browser);
    await page.route("**/*.wasm", (route) => route.fulfill({ status: 404 }));
    await page.goto(PAGE);
    assert.match(await failureOf(page), /mmuscope_bg\.wasm: the server answers 404/);

    const { page: second } = await openMachine(browser);
    await second.evaluate(() => {
      const canvas = document.getElementById("screen");
      canvas.getContext("webgl2").getExtension("WEBGL_lose_context").loseContext();
    });
    assert.match(await failureOf(second), /The picture is gone/);
  }));

test("without scripts", () =>
  withBrowser({}, async (browser) => {
    const context = await browser.newContext({ javaScriptEnabled: false });
    const page = await context.newPage();
    await page.goto(PAGE);
    assert.match(await page.locator("noscript").innerText(), /needs JavaScript and WebAssembly/);
  }));
