// Loads the program with its progress shown, opens the machine on the canvas, and says in words
// what keeps it from running. The open lab is `window.lab`, for the console and for tests.

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

/** Says an event to screen readers. */
function say(sentence) {
  const line = document.createElement("p");
  line.textContent = sentence;
  transcript.append(line);
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

/** What the page's address asks for: `#lesson=ID&step=N`, or a share link. */
function wanted() {
  const fields = new URLSearchParams(location.hash.slice(1));
  const options = {};
  if (fields.has("lesson")) {
    options.lesson = fields.get("lesson");
    if (fields.has("step")) {
      options.step = Number(fields.get("step"));
    }
  } else if (fields.has("m")) {
    options.link = location.hash;
  }
  return options;
}

async function open() {
  if (typeof WebAssembly !== "object") {
    throw new Error("WebAssembly is switched off");
  }
  const program = fetchProgram();
  const { default: init, Lab } = await import("./mmuscope.js");
  await init({ module_or_path: program });
  byId("status").textContent = "Starting";
  const lab = await Lab.start(canvas, wanted());
  lab.on("event", (_json, sentence) => say(sentence));
  watch(lab);
  window.lab = lab;
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
