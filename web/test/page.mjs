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

/** The size of the window of a computer. */
export const WINDOW = { viewport: { width: 1280, height: 720 } };

/** The same with fewer points and less motion, for what is not looked at: without a graphics device both cost most. */
export const SMALL = { ...WINDOW, deviceScaleFactor: 0.5, reducedMotion: "reduce" };

/** An empty tab that notes its complaints, requests and draw calls. */
export async function tab(browser, options = WINDOW) {
  const page = await browser.newPage(options);
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
    // How many frames there were when a key was last let go: what it did is in the frames after these.
    window.framesAtKeyUp = 0;
    window.addEventListener("keyup", () => (window.framesAtKeyUp = window.lab?.frames() ?? 0), true);
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
export async function openMachine(browser, place = "", options = WINDOW) {
  const opened = await tab(browser, options);
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

/**
 * Waits until the picture rests: so many times in a row the browser was ready for a frame and there was
 * nothing to paint. With `most`, so many frames after the last key are enough, as when something goes on moving.
 */
async function still(page, times, most = Infinity) {
  const done = await page.evaluate(
    ([wanted, enough]) =>
      new Promise((resolve) => {
        const begin = performance.now();
        let [before, quiet] = [-1, 0];
        const frames = () => {
          try {
            return window.lab.frames();
          } catch {
            // Chromium lets us in while a frame opens a window: it is not at rest.
            return before - 1;
          }
        };
        const look = () => {
          const now = frames();
          quiet = now === before ? quiet + 1 : 0;
          before = now;
          if (quiet >= wanted || now - window.framesAtKeyUp >= enough) {
            resolve(true);
          } else if (performance.now() - begin > 20_000) {
            resolve(false);
          } else {
            requestAnimationFrame(look);
          }
        };
        look();
      }),
    [times, most],
  );
  assert.ok(done, "the picture does not rest");
}

/** Waits until the picture rests and nothing is on its way to it. */
export const rest = (page) => still(page, 8);

/** Waits until what the last key did is shown. */
export const shown = (page) => still(page, 2, 6);
