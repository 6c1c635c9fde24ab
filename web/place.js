// The page's address and the machine: what the address asks for is opened, and a lesson's step is
// written into it. Everything stands behind the #, which browsers do not send to servers.

/** What an address asks for: a lesson and its step, a share link, or nothing. */
export function wanted(hash = location.hash) {
  const fields = new URLSearchParams(hash.slice(1));
  if (fields.has("lesson")) {
    const step = fields.has("step") ? { step: Number(fields.get("step")) } : {};
    return { lesson: fields.get("lesson"), ...step };
  }
  return fields.has("m") ? { link: hash } : {};
}

/** Keeps address and machine together from now on. */
export function follow(lab) {
  lab.on("place", (place) => {
    history.replaceState(history.state, "", `${location.pathname}${location.search}${place}`);
  });
  window.addEventListener("hashchange", () => open(lab));
}

/** Opens what the address asks for. What cannot be opened is refused with a sentence on the screen. */
export function open(lab) {
  const asked = wanted();
  if (Object.keys(asked).length > 0) {
    try {
      lab.open(asked);
    } catch (reason) {
      console.info(reason.message);
    }
  }
}
