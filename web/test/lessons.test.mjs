// Three lessons played to their end with the keyboard alone, each wrong answer first: one by the names of
// the controls, two by the keys. What is to be built is built through the page API.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { hear, press, pressOn } from "./keyboard.mjs";
import { SMALL, launch, openMachine, rest, started } from "./page.mjs";

const read = async (path) => JSON.parse(await readFile(new URL(`../../${path}`, import.meta.url), "utf8"));
const glossary = await read("assets/glossary.json");

const WORDS = {
  en: { play: "Play this step", ask: "See what the machine does", next: "Next", finish: "Finish", hint: "Hint 1 of 3", right: "Right.", wrong: "Not so." },
  zh: { play: "播放", ask: "看机器怎么做", next: "下一步", finish: "完成", hint: "提示 1/3", right: "对。", wrong: "不对。" },
};

let browser;

before(async () => {
  browser = await launch();
});

after(() => browser?.close());

/** A text of a lesson as it is said, up to its first live value. */
function plain(text, language) {
  return text
    .split(/`?\{\{/)[0]
    .replace(/\[\[([^\]|]+)\|([^\]]+)\]\]/g, "$2")
    .replace(/\[\[([^\]]+)\]\]/g, (_, id) => glossary[id].term[language])
    .replace(/\[([^\]]+)\]\(([^)]+)\)/g, "$1 ($2)")
    .replace(/`([^`]+)`/g, "$1")
    .replace(/\*\*?([^*]+)\*\*?/g, "$1")
    .split("\n")[0]
    .trim();
}

/** Two ways to the controls of a lesson: by their names, with Tab, and by their keys. */
const WAYS = {
  names: {
    play: (page, words) => pressOn(page, words.play),
    choose: (page, words, text) => pressOn(page, text),
    ask: (page, words) => pressOn(page, words.ask),
    hint: (page, words) => pressOn(page, words.hint),
    on: (page, words, last) => pressOn(page, last ? words.finish : words.next),
  },
  keys: {
    play: (page) => press(page, "Enter"),
    choose: (page, words, text, index) => press(page, String(index + 1)),
    ask: (page) => press(page, "Enter"),
    hint: (page) => press(page, "h"),
    on: (page) => press(page, "Enter"),
  },
};

/** Answers the question of a step, wrong answers first, and lets the machine judge. */
async function answer(page, step, language, way) {
  const words = WORDS[language];
  const choices = step.choices.map((choice, index) => ({ ...choice, index }));
  for (const choice of choices.sort((a, b) => Number(a.right ?? false) - Number(b.right ?? false))) {
    await way.choose(page, words, plain(choice.text[language], language), choice.index);
    await hear(page, `${choice.right ? words.right : words.wrong} ${plain(choice.because[language], language)}`.trim());
  }
  await way.ask(page, words);
}

/** Takes a hint, then carries out the solution as a learner's own steps. */
async function build(page, step, number, language, way) {
  await way.hint(page, WORDS[language]);
  await hear(page, plain(step.hints[language][0], language));
  const { error } = await page.evaluate((steps) => {
    try {
      return { events: window.lab.run(steps) };
    } catch (reason) {
      return { error: reason.message };
    }
  }, JSON.stringify(step.solution));
  assert.equal(error, undefined, `step ${number}`);
  await page.waitForFunction((wanted) => window.goals.some(({ step }) => step === wanted), number);
}

async function play(id, language, way) {
  const lesson = await read(`lessons/${id}.json`);
  const words = WORDS[language];
  const place = `?lang=${language}#lesson=${id}&step=1`;
  const { page, complaints, requests } = await openMachine(browser, place, SMALL);
  await page.evaluate(() => {
    [window.goals, window.progress] = [[], null];
    window.lab.on("goal", (json) => window.goals.push(JSON.parse(json)));
    window.lab.on("progress", (json) => {
      window.progress = JSON.parse(json);
    });
  });
  await rest(page);
  for (const [index, step] of lesson.steps.entries()) {
    const number = index + 1;
    await page.waitForFunction((place) => location.hash === place, `#lesson=${id}&step=${number}`);
    await hear(page, plain(step.text[language], language));
    if (step.kind === "watch") {
      await way.play(page, words);
    } else if (step.kind === "predict") {
      await answer(page, step, language, way);
    } else if (step.kind !== "present") {
      await build(page, step, number, language, way);
    }
    await way.on(page, words, number === lesson.steps.length);
  }
  const { lessons } = await page.evaluate(() => window.progress);
  assert.deepEqual(lessons[id].steps.map(({ done }) => done), lesson.steps.map(() => true));
  const goals = (await page.evaluate(() => window.goals)).filter(({ lesson: of }) => of === id).map(({ step }) => step);
  for (const [index, step] of lesson.steps.entries()) {
    if (step.goal && ["change", "construct"].includes(step.kind)) {
      assert.ok(goals.includes(index + 1), `the goal of step ${index + 1} is told`);
    }
  }
  assert.deepEqual(complaints, []);
  const faces = requests.filter((url) => url.endsWith(".otf")).map((url) => url.split("/").at(-1)).sort();
  assert.deepEqual(faces, language === "zh" ? ["mmuscope-zh-bold.otf", "mmuscope-zh.otf"] : []);
  await page.close();
}

test("one table, by the names of its controls", () => play("one-table", "en", WAYS.names));

test("stale registers, by keys", () => play("stale-registers", "en", WAYS.keys));

test("partial page, in Chinese, whose characters are fetched then and only then", () =>
  play("partial-page", "zh", WAYS.keys));

test("an address names a step, when the page opens and when it changes; the step is kept", async () => {
  const { page, complaints } = await openMachine(browser, "#lesson=stale-registers&step=3", SMALL);
  const place = () => page.evaluate(() => location.hash);
  await rest(page);
  assert.equal(await place(), "#lesson=stale-registers&step=3");
  await page.evaluate(() => {
    location.hash = "#lesson=one-table&step=2";
  });
  await rest(page);
  assert.equal(await place(), "#lesson=one-table&step=2");
  await pressOn(page, WORDS.en.next);
  assert.equal(await place(), "#lesson=one-table&step=3");
  await page.reload();
  await started(page);
  await rest(page);
  assert.equal(await place(), "#lesson=one-table&step=3");
  await press(page, "Shift+L");
  await pressOn(page, "Explore without a lesson");
  await rest(page);
  assert.equal(await place(), "");
  assert.deepEqual(complaints, []);
  await page.close();
});

