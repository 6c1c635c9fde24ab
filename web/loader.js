// Loads the program with its progress shown, opens the machine on the canvas, and says in words
// what keeps it from running. The open lab is `window.lab`, for the console and for tests.

import { isEmbedded, serve } from "./host.js";
import { follow, open as openPlace, wanted } from "./place.js";

const MOST_LINES = 60;

const byId = (id) => document.getElementById(id);
const shell = byId("shell");
const canvas = byId("screen");
const transcript = byId("transcript");

/** Shows a message in place of the machine. */
function fail(title, advice, detail) {
  byId("failure-title").textContent = title;
  byId("failure-advice").textContent = advice;
  byId("failure-detail").textContent = detail;
  byId("failure-detail").hidden = !detail;
  byId("loading").hidden = true;
  byId("failure").hidden = false;
  shell.hidden = false;
  canvas.hidden = true;
  byId("reload").focus();
}

const text = (reason) => String(reason?.message ?? reason);

/** A file of the page that did not arrive. */
class LoadError extends Error {}

/** The program's bytes, counted on their way in. */
async function fetchProgram() {
  const url = new URL("mmuscope_bg.wasm", import.meta.url);
  const response = await fetch(url).catch((reason) => {
    throw new LoadError(`${url.pathname}: ${text(reason)}`);
  });
  if (!response.ok) {
    throw new LoadError(`${url.pathname}: the server answers ${response.status}`);
  }
  const progress = byId("progress");
  const total = Number(progress.dataset.bytes);
  let loaded = 0;
  const counter = new TransformStream({
    transform(chunk, controller) {
      loaded += chunk.byteLength;
      if (total > 0) {
        progress.value = Math.min(loaded / total, 1);
        byId("status").textContent = `Loading the program: ${Math.round(100 * progress.value)} %`;
      }
      controller.enqueue(chunk);
    },
  });
  return new Response(response.body.pipeThrough(counter), { headers: { "content-type": "application/wasm" } });
}

/** Says something to screen readers. */
function say(sentences) {
  for (const sentence of sentences.split("\n")) {
    const line = document.createElement("p");
    line.textContent = sentence;
    transcript.append(line);
  }
  while (transcript.childElementCount > MOST_LINES) {
    transcript.firstElementChild.remove();
  }
}

/** An error inside the program ends it: replace the frozen picture by a message. */
function watch(lab) {
  const stopped = () => {
    const message = lab.failure();
    if (message !== undefined) {
      fail("The program has stopped", "This is an error in mmuscope itself. The details below help to find it.", message);
    }
  };
  window.addEventListener("error", stopped);
  window.addEventListener("unhandledrejection", stopped);
  canvas.addEventListener("webglcontextlost", () => {
    fail("The picture is gone", "The browser has taken the graphics device away. Loading the page again brings it back.", "");
  });
}

/** How the machine begins, apart from what is to be opened in it. */
function options() {
  const fields = new URLSearchParams(location.search);
  const given = (name, known) => (known.includes(fields.get(name)) ? { [name]: fields.get(name) } : {});
  return {
    ...(isEmbedded() ? { view: "embed" } : {}),
    ...given("lang", ["en", "zh"]),
    ...given("theme", ["dark", "light", "high-contrast", "projector"]),
  };
}

/** Starts the machine on what the address asks for; where that cannot be, without it, and says why. */
async function start(Lab) {
  try {
    return await Lab.start(canvas, { ...options(), ...wanted() });
  } catch {
    const lab = await Lab.start(canvas, options());
    openPlace(lab);
    return lab;
  }
}

async function open() {
  if (typeof WebAssembly !== "object") {
    throw new Error("WebAssembly is switched off");
  }
  const program = fetchProgram();
  const { default: init, Lab } = await import("./mmuscope.js");
  await init({ module_or_path: program });
  byId("status").textContent = "Starting";
  const lab = await start(Lab);
  lab.on("say", say);
  lab.on("focus", (name) => {
    byId("focus").textContent = name;
  });
  watch(lab);
  follow(lab);
  window.lab = lab;
  if (isEmbedded()) {
    serve(lab);
  }
  shell.hidden = true;
  document.documentElement.dataset.started = "true";
}

byId("reload").addEventListener("click", () => location.reload());
open().catch((reason) => {
  if (reason instanceof LoadError) {
    fail("The program did not arrive", "The connection may be down, or a file of the page is missing.", text(reason));
    return;
  }
  const advice = "The machine needs WebAssembly and WebGL. A current Firefox, Chromium or Safari has both; "
    + "they may be switched off in its settings.";
  fail("The machine cannot start", advice, text(reason));
});
