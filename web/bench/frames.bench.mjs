// What a frame costs in Chromium where no graphics device is: SwiftShader draws on the processor.
//
// For each size of the window the first example is stepped through, and for a while everything is painted
// in every frame. Printed are, of the frames of the animations: how many a second, how long the program
// needs for one (layout, tessellation and GL calls: the time inside the frame's callback), and how long
// SwiftShader draws after that (until a pixel can be read back).
//
// cargo xtask browser-bench

import { launch, started, PAGE } from "../test/page.mjs";

const SIZES = [[1280, 720, 1], [1280, 720, 0.75], [1280, 720, 0.5], [1600, 900, 1], [390, 844, 1]];
const STEPS = 6;

const middle = (numbers) => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? NaN;
const high = (numbers) => [...numbers].sort((a, b) => a - b)[Math.floor(0.95 * numbers.length)] ?? NaN;
const ms = (number) => `${number.toFixed(1)} ms`;

/** Notes each painted frame: when it began, how long the program took, how long drawing went on. */
function noteFrames() {
  window.painted = [];
  window.readsBack = false;
  const request = window.requestAnimationFrame.bind(window);
  window.requestAnimationFrame = (callback) =>
    request((time) => {
      const drawn = window.drawn ?? 0;
      const begin = performance.now();
      callback(time);
      const end = performance.now();
      if ((window.drawn ?? 0) === drawn) {
        return;
      }
      let raster = 0;
      if (window.readsBack) {
        const gl = document.getElementById("screen").getContext("webgl2");
        gl.readPixels(0, 0, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, new Uint8Array(4));
        raster = performance.now() - end;
      }
      window.painted.push({ time, program: end - begin, raster });
    });
  for (const kind of [WebGLRenderingContext, WebGL2RenderingContext]) {
    const draw = kind.prototype.drawElements;
    kind.prototype.drawElements = function (...parameters) {
      window.drawn = (window.drawn ?? 0) + 1;
      return draw.apply(this, parameters);
    };
  }
}

/** Frames of the animations of all steps, forward. */
async function animations(page, readsBack) {
  await page.evaluate((reads) => {
    window.readsBack = reads;
  }, readsBack);
  const runs = [];
  await page.keyboard.press("Home");
  await page.waitForTimeout(700);
  for (let step = 0; step < STEPS; step += 1) {
    await page.evaluate(() => {
      window.painted = [];
    });
    await page.keyboard.press("ArrowRight");
    await page.waitForTimeout(900);
    runs.push(await page.evaluate(() => window.painted));
  }
  return runs;
}

/** Every frame painted for a second, moved by the pointer. */
async function everyFrame(page) {
  await page.evaluate(() => {
    window.painted = [];
    window.readsBack = false;
    const canvas = document.getElementById("screen");
    const end = performance.now() + 1500;
    const move = (time) => {
      const { width, height } = canvas.getBoundingClientRect();
      const at = { clientX: width * (0.4 + 0.2 * Math.sin(time / 90)), clientY: height * 0.5, bubbles: true };
      canvas.dispatchEvent(new MouseEvent("mousemove", at));
      if (performance.now() < end) {
        setTimeout(() => move(performance.now()), 4);
      }
    };
    move(performance.now());
  });
  await page.waitForTimeout(1700);
  return page.evaluate(() => window.painted);
}

const between = (frames) => frames.slice(1).map(({ time }, index) => time - frames[index].time);

const browser = await launch();
const rows = [];
for (const [width, height, scale] of SIZES) {
  const page = await browser.newPage({ viewport: { width, height }, deviceScaleFactor: scale });
  await page.addInitScript(noteFrames);
  await page.goto(PAGE);
  await started(page);
  await page.waitForTimeout(2500);
  const moved = await everyFrame(page);
  const free = await animations(page, false);
  const read = (await animations(page, true)).flat();
  const gaps = free.flatMap(between);
  rows.push({
    window: `${width} x ${height}${scale === 1 ? "" : `, ${scale} pixels a point`}`,
    "frames a second, moved": (1000 / (between(moved).reduce((a, b) => a + b, 0) / (moved.length - 1))).toFixed(0),
    "in animations": (1000 / middle(gaps)).toFixed(0),
    "frames of a step": middle(free.map((frames) => frames.length)),
    "program, middle": ms(middle(free.flat().map(({ program }) => program))),
    "95 %": ms(high(free.flat().map(({ program }) => program))),
    "SwiftShader, middle": ms(middle(read.map(({ raster }) => raster))),
  });
  await page.close();
}
await browser.close();
console.table(rows);
