// A person at the keyboard who does not see the canvas: finds controls by what the page says that the
// keyboard is on, presses them, and reads what it says next.

import assert from "node:assert/strict";

/** Waits until a frame has been painted and told after what was just done. */
async function frame(page, since) {
  await page.waitForFunction((before) => window.lab.frames() > before, since, { timeout: 10_000 });
  await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve))));
}

/** Presses a key and waits for the frame that shows what it did. */
export async function press(page, key) {
  const before = await page.evaluate(() => window.lab.frames());
  await (page.keyboard ?? page.page().keyboard).press(key);
  await frame(page, before);
}

/** What the keyboard is on. */
export const focused = (page) => page.locator("#focus").textContent();

const matches = (name, wanted) => (typeof wanted === "string" ? name === wanted : wanted.test(name));

/** Moves the keyboard to a control by its name, near ones first. */
export async function focusOn(page, name) {
  if (matches(await focused(page), name)) {
    return;
  }
  const seen = [];
  for (const [key, times] of [["Tab", 8], ["Shift+Tab", 24], ["Tab", 260]]) {
    for (let count = 0; count < times; count += 1) {
      await press(page, key);
      const on = await focused(page);
      seen.push(on);
      if (matches(on, name)) {
        return;
      }
    }
  }
  assert.fail(`no control is called ${name}; there are:\n${[...new Set(seen)].join("\n")}`);
}

/** Presses a control by its name. */
export async function pressOn(page, name) {
  await focusOn(page, name);
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
