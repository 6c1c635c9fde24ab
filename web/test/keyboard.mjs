// A person at the keyboard who does not see the canvas: finds controls by what the page says that the
// keyboard is on, presses them, and reads what it says next.

import assert from "node:assert/strict";
import { shown } from "./page.mjs";

/** Presses a key and waits for what it does to be shown. */
export async function press(page, key) {
  await (page.keyboard ?? page.page().keyboard).press(key);
  await shown(page);
}

/** What the keyboard is on. */
export const focused = (page) => page.locator("#focus").textContent();

const matches = (name, wanted) => (typeof wanted === "string" ? name === wanted : wanted.test(name));

/** The most controls that a screen has. */
const MOST = 260;

/** Moves the keyboard to a control by its name: with Tab, or back with Shift+Tab where that is nearer. */
export async function focusOn(page, name, key = "Tab") {
  const seen = [];
  for (let count = 0; count < MOST; count += 1) {
    const on = await focused(page);
    if (matches(on, name)) {
      return;
    }
    seen.push(on);
    await press(page, key);
  }
  assert.fail(`no control is called ${name}; there are:\n${[...new Set(seen)].join("\n")}`);
}

/** Presses a control by its name. */
export async function pressOn(page, name, key = "Tab") {
  await focusOn(page, name, key);
  await press(page, "Enter");
}

/** What has been said so far. */
export const spoken = (page) => page.locator("#transcript p").allTextContents();

/** Waits until a sentence that contains `words` is said, after the first `from` ones. */
export async function hear(page, words) {
  const said = await page
    .waitForFunction(
      (text) => [...document.querySelectorAll("#transcript p")].some((line) => line.textContent.includes(text)),
      words,
      { timeout: 10_000 },
    )
    .catch(() => null);
  assert.ok(said, `"${words}" is not said, but:\n${(await spoken(page)).join("\n")}`);
}
