"use strict";

// Tells the insight API (its address is in <meta name="insight">) what a visitor does, so that organizers see how their
// race goes. Nothing is stored in the browser, and no cookie is set. Who asks her browser not to be tracked is not:
// nothing is sent then. The page never waits for this, a failure is never seen, and it works as well where a browser's
// extension keeps this file away.

window.visits = (() => {
  const BATCH_MS = 2000; // as long as events gather
  const TOGETHER = 50; // events of a request; a hundred of 64 KB are taken
  const MOST = 200; // events that wait; further ones are not told
  const RETRIES = 4; // pauses of 4, 8, 16 and 32 seconds
  const SPARE_MS = 60_000; // a token is renewed so long before its end

  const address = document.querySelector("meta[name=insight]").content; // "" where the front door is not before us
  const tracked = navigator.doNotTrack !== "1" && navigator.globalPrivacyControl !== true;
  let race = null;
  let waiting = [];
  let token = { text: "", until: 0 };
  let ahead = null; // milliseconds of the server's clock before this one's, as they were when it was first asked
  let timer = 0;
  let sending = false;
  let failures = 0;

  // Only of a page that somebody sees: browsers also prepare pages that nobody opens.
  function begin(organizer, event) {
    if (!address || !tracked) return;
    race = { organizer_id: organizer, event_id: event };
    const seen = () => {
      tell("page_view", { page: location.pathname, ...cameFrom() });
      send();
    };
    if (document.prerendering) document.addEventListener("prerenderingchange", seen, { once: true });
    else seen();
  }

  function cameFrom() {
    try {
      const { origin } = new URL(document.referrer);
      return origin === location.origin ? {} : { referrer: origin };
    } catch {
      return {};
    }
  }

  function tell(kind, fields) {
    if (!race || waiting.length >= MOST) return;
    waiting.push({ id: identifier(), at_ms: Date.now(), kind, ...fields });
    schedule(BATCH_MS);
  }

  // crypto.randomUUID is there in secure contexts alone.
  function identifier() {
    if (crypto.randomUUID) return crypto.randomUUID();
    return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
  }

  function schedule(ms) {
    timer ||= setTimeout(send, ms);
  }

  async function send() {
    clearTimeout(timer);
    timer = 0;
    if (sending || !waiting.length) return;
    sending = true;
    const together = waiting.splice(0, TOGETHER);
    try {
      const taken = await post(together);
      failures = taken ? 0 : Math.min(failures + 1, RETRIES + 1);
      if (!taken && failures <= RETRIES) waiting.unshift(...together); // by their ids they count once
    } finally {
      sending = false;
    }
    if (waiting.length) schedule(BATCH_MS * 2 ** failures);
  }

  // Whether the events need not be sent again: they were taken, or never will be.
  async function post(together) {
    try {
      if (Date.now() > token.until - SPARE_MS) await renew();
      const headers = { "Content-Type": "application/json" };
      const options = { method: "POST", headers, body: body(together), keepalive: true, credentials: "omit" };
      const { status } = await fetch(`${address}events`, options);
      if (status === 403) token = { text: "", until: 0 };
      return status < 500 && status !== 403 && status !== 429;
    } catch {
      return false;
    }
  }

  async function renew() {
    const path = `${encodeURIComponent(race.organizer_id)}/${encodeURIComponent(race.event_id)}/token`;
    const response = await fetch(address + path, { credentials: "omit" });
    if (!response.ok) throw new Error("no token");
    const answer = await response.json();
    token = { text: answer.token, until: Date.now() + 1000 * answer.lasts_s };
    ahead ??= answer.now_ms - Date.now();
  }

  // Times are by the server's clock, and the same however often an event is sent.
  function body(together) {
    const events = together.map((event) => ({ ...event, at_ms: event.at_ms + ahead }));
    return JSON.stringify({ ...race, token: token.text, robot: navigator.webdriver === true, events });
  }

  // The page may be closed from here on: a request that is under way might be cut off, a beacon is not.
  function leave() {
    while (token.text && waiting.length) {
      const sent = new Blob([body(waiting.splice(0, TOGETHER))], { type: "application/json" });
      if (!navigator.sendBeacon(`${address}events`, sent)) return;
    }
  }

  addEventListener("pagehide", leave);
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "hidden") leave();
  });
  return { begin, tell };
})();
