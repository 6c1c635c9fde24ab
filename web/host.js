// An embedded page and the page around it. Both send { mmuscope: 1, type, ... }; see docs/embed.md.
// Only messages of the parent window are acted on, as data: nothing in them is ever run.

/** The listeners of a lab whose words go to the host as they come. */
const TOLD = {
  event: (json, text) => ({ event: JSON.parse(json), text }),
  goal: (json) => JSON.parse(json),
  progress: (json) => ({ progress: JSON.parse(json) }),
  error: (message) => ({ message }),
  place: (place) => ({ place }),
};

/** What a host may ask for, by the type of its message; each returns the fields of the answer. */
const ASKED = {
  run: (lab, { steps }) => ({ events: JSON.parse(lab.run(typeof steps === "string" ? steps : JSON.stringify(steps ?? []))) }),
  state: (lab) => ({ state: JSON.parse(lab.state()) }),
  link: (lab) => ({ link: lab.link() }),
  open: (lab, { scenario, link, lesson, step }) => {
    lab.open({ scenario, link, lesson, step });
    return {};
  },
};

/** Whether the page lies in a frame and its address says that it is to talk. */
export function isEmbedded() {
  return new URLSearchParams(location.search).get("embed") === "1";
}

/** Answers the host from now on, and tells it what happens. */
export function serve(lab) {
  const host = window.parent;
  if (host === window) {
    return;
  }
  // What a machine does is no secret, and a page cannot know who frames it: any host may read.
  const tell = (type, fields) => host.postMessage({ mmuscope: 1, type, ...fields }, "*");
  for (const [name, fields] of Object.entries(TOLD)) {
    lab.on(name, (...words) => tell(name, fields(...words)));
  }
  window.addEventListener("message", ({ source, data }) => {
    if (source !== host || typeof data !== "object" || data === null || data.mmuscope !== 1) {
      return;
    }
    const { type, id } = data;
    try {
      if (typeof type !== "string" || !Object.hasOwn(ASKED, type)) {
        throw new Error(`unknown type: known are ${Object.keys(ASKED).join(", ")}`);
      }
      tell("answer", { id, to: type, ...ASKED[type](lab, data) });
    } catch (reason) {
      tell("answer", { id, to: typeof type === "string" ? type.slice(0, 40) : "", error: String(reason?.message ?? reason) });
    }
  });
  tell("ready", {});
}
