// What the browser tests share: Chromium, a page, and the list of everything it complains about.

import assert from "node:assert/strict";
import { chromium } from "playwright-core";

/** Where the page is served. */
export const PAGE = process.env.MMUSCOPE_PAGE;
const CHROMIUM = process.env.MMUSCOPE_CHROMIUM;
assert.ok(PAGE && CHROMIUM, "run the tests with: cargo xtask browser-test");

const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];
// Chromium's own remarks on speed: on reading the canvas back, which it must where no graphics device is, and
// on eframe's letters of the system for what our fonts lack (the name of another language).
const REMARKS = /GL Driver Message .*GPU stall due to ReadPixels|Multiple readback operations using getImageData/;
const SOFTWARE_GL = ["--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"];

/** A browser with an empty profile; without WebGL if `webgl` is false. */
export function launch({ webgl = true } = {}) {
  const args = [...FLAGS, ...(webgl ? SOFTWARE_GL : ["--disable-3d-apis"])];
  return chromium.launch({ executablePath: CHROMIUM, headless: true, args });
}

/** An empty tab of 1280 x 720 that notes its complaints, requests and draw calls. */
export async function tab(browser) {
  const page = await browser.newPage({ viewport: { width: 1280, height: 720 } });
  const complaints = [];
  const requests = [];
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type()) && !REMARKS.test(message.text())) {
      complaints.push(`${message.type()}: ${message.text()}`);
    }
  });
  page.on("pageerror", (error) => complaints.push(`uncaught: ${error}`));
  page.on("request", (request) => requests.push(request.url()));
  await page.addInitScript((origin) => {
    // Nobody here comes for the first time: the card of the first run stays away.
    if (window === window.parent && location.href.startsWith(origin)) {
      localStorage.setItem("mmuscope.welcomed", "MQ");
    }
    window.drawCalls = 0;
    for (const kind of [WebGLRenderingContext, WebGL2RenderingContext]) {
      const draw = kind.prototype.drawElements;
      kind.prototype.drawElements = function (...parameters) {
        window.drawCalls += 1;
        return draw.apply(this, parameters);
      };
    }
  }, PAGE);
  return { page, complaints, requests };
}

/** A tab with the machine open in it, on what an address names: `#lesson=one-table&step=2`, `?lang=zh`. */
export async function openMachine(browser, place = "") {
  const opened = await tab(browser);
  await opened.page.goto(PAGE + place);
  await started(opened.page);
  return opened;
}

/** Waits until the machine of a page is open. */
export async function started(page) {
  await page.waitForFunction(() => window.lab !== undefined || document.getElementById("failure")?.hidden === false);
  const failure = page.locator("#failure");
  assert.ok(await failure.isHidden(), await failure.textContent());
}

/** The state of the lab that the page has opened. */
export async function stateOf(page) {
  return JSON.parse(await page.evaluate(() => window.lab.state()));
}

/** Waits until the picture rests: no frame for half a second. */
export async function rest(page) {
  for (let before = -1, now = 0; before !== now; ) {
    before = now;
    await page.waitForTimeout(500);
    now = await page.evaluate(() => window.lab.frames());
  }
}
