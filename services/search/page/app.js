"use strict";

// The runner's page. It asks the search API (its address is in <meta name="api">) and keeps nothing but the
// language. The race and the bib are in the page's own address, so that a link to a result can be shared.

const MAX_SELFIE_SIDE = 1280;
const PAGE_SIZE = 24;
const SWIPE = 60; // pixels

const $ = (id) => document.getElementById(id);
const LINKS_LAST_MS = 1000 * Number(document.querySelector("meta[name=links-last]").content);
const api = new URL(document.querySelector("meta[name=api]").content, document.baseURI);
const place = new URLSearchParams(location.search);
const race = { organizer: place.get("organizer"), event: place.get("event"), info: null };

let language = remembered() || document.documentElement.lang;
let tab = "bib";
let selfie = null; // base64 of the downscaled JPEG, while a search by selfie is being made up
let search = null; // what the results show: {kind, bib, image or face}; face stands for an image that was compared
let found = { photos: [], cursor: null, total: null, fresh: new Set() };
let asked = 0; // number of the newest question: answers to older ones are dropped
let shownAt = 0;
let linkedAt = 0; // when the link to download was given
let closing = false; // whether the viewer waits for the browser to go back
let swipe = null; // where a finger touched the viewer alone

// --- words

function remembered() {
  try { return localStorage.getItem("snaprace-language"); } catch { return null; }
}

function t(key, values = {}) {
  let text = STRINGS[language][key];
  if (Array.isArray(text)) text = text[values.n === 1 ? 0 : 1];
  return text.replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

function speak(chosen) {
  language = chosen in STRINGS ? chosen : "en";
  document.documentElement.lang = language;
  for (const node of document.querySelectorAll("[data-t]")) node.textContent = t(node.dataset.t);
  for (const node of document.querySelectorAll("[data-t-label]")) node.setAttribute("aria-label", t(node.dataset.tLabel));
  for (const node of document.querySelectorAll("[data-language]")) {
    node.setAttribute("aria-pressed", String(node.dataset.language === language));
  }
  showRace();
  if (search) showResults();
}

// --- the API

class Refused extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
  }
  get words() { return STRINGS[language].errors[this.code] || this.message || STRINGS[language].errors.broken; }
}

async function ask(path, options) {
  let response;
  try {
    response = await fetch(new URL(path, api), options);
  } catch {
    throw new Refused("offline");
  }
  const body = await response.json().catch(() => ({}));
  if (!response.ok) throw new Refused(body.error?.code || "broken", body.error?.message);
  return body;
}

const racePath = () => `races/${encodeURIComponent(race.organizer)}/${encodeURIComponent(race.event)}`;

function question(cursor) {
  const filters = new FormData($("filters"));
  const asked = { limit: PAGE_SIZE, order: filters.get("order"), ...times(filters.get("from"), filters.get("to")) };
  if (search.bib) asked.bib = search.bib;
  if (search.kind === "bib" && filters.get("doubtful")) asked.doubtful = "true";
  if (cursor) asked.cursor = cursor;
  return asked;
}

// Of whichever day, so that a race over midnight is found; a beginning alone lasts beyond midnight.
function times(from, to) {
  if (from && !to) return { from: `${race.info.date}T${from}` };
  return { ...(from && { from }), ...(to && { to }) };
}

async function fetchPage(what, cursor) {
  if (what.kind !== "selfie") return ask(`${racePath()}/photos?${new URLSearchParams(question(cursor))}`);
  await what.compared?.catch(() => null);
  if (what.face) return post("selfie/photos", { ...question(cursor), face: what.face });
  what.compared = compare(what);
  return what.compared;
}

// The picture leaves once, whatever is asked meanwhile; all that follows is asked with what it was found in.
async function compare(what) {
  const page = await post("selfie", { ...question(null), image_b64: what.image });
  what.face = page.face;
  delete what.image;
  return page;
}

function post(path, fields) {
  const body = JSON.stringify({ organizer_id: race.organizer, event_id: race.event, ...fields });
  return ask(path, { method: "POST", headers: { "Content-Type": "application/json" }, body });
}

// --- which race

// Shown at once when it is known what: nothing moves that was there before.
async function begin() {
  if (history.state?.photo) history.replaceState(null, ""); // loaded anew: no photo is open
  try {
    await openRace();
  } finally {
    delete document.body.dataset.opening;
  }
}

async function openRace() {
  if (!race.organizer || !race.event) {
    $("pick").hidden = false;
    return;
  }
  try {
    race.info = await ask(racePath());
  } catch (error) {
    $("pick").hidden = false;
    $("pick").elements.organizer.value = race.organizer;
    $("pick").elements.event.value = race.event;
    $("pick-problem").textContent = error.code === "unknown_race" ? STRINGS[language].errors.no_race : error.words;
    return;
  }
  window.visits?.begin(race.organizer, race.event);
  $("search").hidden = false;
  $("tab-selfie").hidden = !race.info.faces;
  showRace();
  if (place.get("bib")) {
    $("bib").value = place.get("bib");
    start({ kind: "bib", bib: place.get("bib") });
  }
}

function showRace() {
  if (!race.info) return;
  $("title").textContent = race.info.name;
  document.title = `${race.info.name} – SnapRace`;
  const day = new Date(`${race.info.date}T12:00:00Z`);
  $("race-date").textContent = new Intl.DateTimeFormat(language, { dateStyle: "long", timeZone: "UTC" }).format(day);
  $("race-date").hidden = false;
}

// --- how to search

function choose(name, focus = false) {
  tab = name;
  for (const button of document.querySelectorAll("[data-tab]")) {
    const chosen = button.dataset.tab === name;
    button.setAttribute("aria-selected", String(chosen));
    button.tabIndex = chosen ? 0 : -1;
    if (chosen && focus) button.focus();
    $(`panel-${button.dataset.tab}`).hidden = !chosen;
  }
  if (name === "all") start({ kind: "all" });
}

function moveTab(event) {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!step) return;
  const names = [...document.querySelectorAll("[data-tab]:not([hidden])")].map((button) => button.dataset.tab);
  choose(names[(names.indexOf(tab) + step + names.length) % names.length], true);
}

async function takeFile(input) {
  const file = input.files[0];
  input.value = "";
  if (!file) return;
  try {
    const picture = await createImageBitmap(file, { imageOrientation: "from-image" });
    useSelfie(picture, picture.width, picture.height);
  } catch {
    complain(new Refused("unreadable"));
  }
}

function useSelfie(source, width, height) {
  const scale = Math.min(1, MAX_SELFIE_SIDE / Math.max(width, height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  canvas.getContext("2d").drawImage(source, 0, 0, canvas.width, canvas.height);
  const data = canvas.toDataURL("image/jpeg", 0.9);
  selfie = data.slice(data.indexOf(",") + 1);
  const image = new Image();
  image.src = data;
  image.alt = t("selfie_alt");
  $("portrait").replaceChildren(image);
  $("portrait").classList.add("chosen");
  $("search-selfie").disabled = false;
  $("live").textContent = t("selfie_chosen");
}

async function openCamera() {
  if (!navigator.mediaDevices?.getUserMedia) {
    $("capture").click(); // phones open their camera for this
    return;
  }
  try {
    $("video").srcObject = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "user", width: { ideal: 1280 } } });
    $("camera").showModal();
  } catch {
    complain(new Refused("no_camera"));
  }
}

function shoot() {
  if ($("video").videoWidth) useSelfie($("video"), $("video").videoWidth, $("video").videoHeight);
  $("camera").close();
}

function closeCamera() {
  for (const track of $("video").srcObject?.getTracks() || []) track.stop();
  $("video").srcObject = null;
}

// --- results

function start(what) {
  const order = $("filters").elements.order;
  const ranked = what.kind !== "all";
  order.querySelector("[value=best]").hidden = order.querySelector("[value=best]").disabled = !ranked;
  if (search?.kind !== what.kind) order.value = ranked ? "best" : "newest";
  $("unsure-choice").hidden = what.kind !== "bib";
  search = what;
  const address = new URL(location);
  if (what.kind === "bib") address.searchParams.set("bib", what.bib);
  else address.searchParams.delete("bib");
  history.replaceState(null, "", address);
  load();
}

async function load(cursor = null) {
  const mine = ++asked;
  $("more-problem").textContent = "";
  if (!cursor) {
    found = { photos: [], cursor: null, total: null, fresh: new Set() };
    $("results").hidden = false;
    $("message").hidden = true;
    $("more").hidden = true;
    $("count").textContent = t("searching");
    $("grid").replaceChildren(...Array.from({ length: 6 }, waitingTile));
  }
  $("results").setAttribute("aria-busy", "true");
  $("more").disabled = true;
  try {
    const page = await fetchPage(search, cursor);
    if (mine !== asked) return;
    found.photos.push(...page.photos);
    found.cursor = page.next_cursor;
    found.total = page.total;
    if (search.bib) for (const photo of page.new_photos || []) found.fresh.add(photo.photo_id);
    if (!cursor) tellSearch();
    showResults(cursor ? found.photos.length - page.photos.length : 0);
    if (cursor) $("grid").children[found.photos.length - page.photos.length]?.firstChild.focus();
    else bringIntoView();
  } catch (error) {
    if (mine === asked) complain(error, cursor);
  } finally {
    if (mine === asked) {
      $("results").removeAttribute("aria-busy");
      $("more").disabled = false;
    }
  }
}

// A search is told once, in whatever order its photos are looked at; and again for other times.
function tellSearch() {
  const { from, to } = $("filters").elements;
  const told = `${from.value}-${to.value}`;
  if (search.told === told) return;
  search.told = told;
  const query = search.kind === "bib" ? search.bib : search.kind === "all" && told !== "-" ? "time" : search.kind;
  window.visits?.tell("search", { query, found: found.total ?? found.photos.length });
}

function bringIntoView() {
  if ($("count").getBoundingClientRect().top > innerHeight * 0.7) $("results").scrollIntoView();
}

function showResults(from = 0) {
  const n = found.total ?? found.photos.length;
  const many = { all: "shown", bib: "counted_bib", selfie: "counted_selfie" }[search.kind];
  $("count").textContent = n ? t(many, { n, bib: search.bib }) : t("nothing");
  $("live").textContent = $("count").textContent;
  if (from === 0) $("grid").replaceChildren();
  $("grid").append(...found.photos.slice(from).map((photo, i) => tile(photo, from + i)));
  $("more").hidden = !found.cursor;
  $("filters").hidden = !n && !filtered();
  if (!n) explainNothing();
}

function filtered() {
  const { from, to, doubtful } = $("filters").elements;
  return Boolean(from.value || to.value || (search.kind === "bib" && !doubtful.checked));
}

function explainNothing() {
  if (filtered()) return tell(t("nothing_filtered"));
  if (search.kind === "bib" && race.info.faces) return tell(t("nothing_bib", search), "try_selfie", () => choose("selfie", true));
  if (search.kind === "selfie") return tell(t("nothing_selfie"), "try_bib", () => { choose("bib"); $("bib").focus(); });
  return tell(search.kind === "bib" ? t("nothing_bib", search) : t("nothing_all"));
}

// What is there stays, if it is only that no more came; the button asks again.
function complain(error, cursor = null) {
  if (!(error instanceof Refused)) throw error;
  if (cursor) {
    $("more-problem").textContent = error.words;
    return;
  }
  $("results").hidden = false;
  $("grid").replaceChildren();
  $("filters").hidden = true;
  $("count").textContent = "";
  const again = ["offline", "busy", "broken"].includes(error.code) && search;
  tell(error.words, again ? "retry" : null, () => load(), true);
}

function tell(words, action = null, act = null, wrong = false) {
  const [text, button] = $("message").children;
  text.textContent = words;
  button.hidden = !action;
  button.textContent = action ? t(action) : "";
  button.onclick = act;
  $("message").classList.toggle("wrong", wrong);
  $("message").hidden = false;
  $("live").textContent = words;
  $("more").hidden = true;
  bringIntoView();
}

function waitingTile() {
  const item = document.createElement("li");
  const box = document.createElement("div");
  box.className = "tile waiting";
  item.style.setProperty("--shape", "1.5");
  item.setAttribute("aria-hidden", "true");
  item.append(box);
  return item;
}

function tile(photo, at) {
  const item = document.createElement("li");
  item.style.setProperty("--shape", String(photo.width / photo.height));
  const button = document.createElement("button");
  button.type = "button";
  button.className = "tile";
  button.style.backgroundImage = `url("${photo.placeholder}")`;
  button.setAttribute("aria-label", describe(photo, at));
  const image = new Image();
  image.alt = "";
  image.loading = "lazy";
  image.onload = () => image.classList.add("there");
  image.onerror = () => tryAgain(image, photo, "thumbnail_url");
  image.src = photo.thumbnail_url;
  const tags = document.createElement("span");
  tags.className = "tags";
  tags.append(...reasons(photo).map(tag));
  button.append(image, tags);
  button.onclick = () => look(at);
  item.append(button);
  return item;
}

// How it is known that the photo shows the runner searched for: [kind, values] each.
function reasons(photo) {
  const known = [];
  if (found.fresh.has(photo.photo_id)) known.push(["fresh", {}]);
  if (photo.similarity !== undefined) known.push(["similar", { n: Math.round(photo.similarity) }]);
  else if (search.kind === "bib") known.push(...photo.runners.filter((runner) => sameBib(runner.bib, search.bib)).map(reason));
  return known;
}

function reason(runner) {
  const kind = runner.status === "doubtful" ? "unsure" : runner.status === "inferred" ? "recognised" : "read";
  return [kind, { bib: runner.bib }];
}

// Forgiving like the API: "a-0042" and "A42" are one bib, and so are "727-02" and "727-2", which is not 7272.
function sameBib(one, other) {
  const plain = (bib) => bib.normalize("NFKC").toUpperCase().replace(/[#\s]/g, "").replace(/[‐‑‒–—−]/g, "-")
    .replace(/([A-Z])-/g, "$1").replace(/-([A-Z])/g, "$1").replace(/(^[A-Z]*|-)0+(?=\d)/g, "$1");
  return plain(one) === plain(other);
}

function tag([kind, values]) {
  const node = document.createElement("span");
  node.className = `tag ${kind}`;
  node.textContent = t(kind, values);
  return node;
}

// The hour, with the day where it is not the race's; "about" where the camera does not say when it took the photo.
function time(photo) {
  if (!photo.taken_at) return "";
  return photo.taken_at_sure ? clockOf(photo) : t("about", { time: clockOf(photo) });
}

function clockOf(photo) {
  const [day, clock] = [photo.taken_at.slice(0, 10), photo.taken_at.slice(11, 16)];
  if (day === race.info.date) return clock;
  const words = { month: "short", day: "numeric", timeZone: "UTC" };
  return `${new Intl.DateTimeFormat(language, words).format(new Date(`${day}T12:00:00Z`))}, ${clock}`;
}

function describe(photo, at) {
  const n = found.total ?? found.photos.length;
  const known = reasons(photo).map(([kind, values]) => t(`${kind}_long`, values));
  return [t("photo", { i: at + 1, n }), time(photo), ...known].filter(Boolean).join(", ");
}

// --- one photo, large

function look(at) {
  shownAt = at;
  const photo = found.photos[at];
  $("viewer-title").textContent = t("photo", { i: at + 1, n: found.total ?? found.photos.length });
  $("viewer-problem").textContent = "";
  enlarge(photo, at);
  const known = search.kind === "all" ? photo.runners.map(reason) : reasons(photo);
  const notes = known.map(([kind, values]) => {
    const node = tag([kind, values]);
    node.textContent = t(`${kind}_long`, values);
    return node;
  });
  for (const words of [time(photo), photo.photographer && t("by", { name: photo.photographer }), photo.filename]) {
    if (words) notes.push(Object.assign(document.createElement("span"), { textContent: words }));
  }
  $("caption").replaceChildren(...notes);
  $("previous").disabled = at === 0;
  $("next").disabled = at === found.photos.length - 1;
  $("original").hidden = !race.info.originals;
  $("viewer-note").textContent = "";
  remember(photo);
  if (!$("viewer").open) $("viewer").showModal();
  link(photo);
  window.visits?.tell("photo_view", { photo_id: photo.photo_id });
}

// In a new element: the old one would show the photo before until this one has come, which may take long.
function enlarge(photo, at) {
  const large = new Image();
  large.id = "large";
  large.alt = describe(photo, at);
  large.style.background = `url("${photo.placeholder}") center / contain no-repeat`;
  large.onload = () => { large.style.background = ""; };
  large.onerror = () => tryAgain(large, photo, "preview_url");
  large.src = photo.preview_url;
  $("large").replaceWith(large);
}

// Back closes the photo: looking at one is a step of the browser's history, however many are looked at.
function remember(photo) {
  const state = { photo: photo.photo_id };
  if (history.state?.photo) history.replaceState(state, "");
  else history.pushState(state, "");
}

function closeViewer() {
  if (closing) return;
  closing = true;
  history.back();
}

function wentTo(state) {
  closing = false;
  const at = found.photos.findIndex((photo) => photo.photo_id === state?.photo);
  if (at >= 0) look(at);
  else if ($("viewer").open) $("viewer").close();
}

// Links last for minutes. New ones are asked for when a picture does not come, and when a photo is looked at.
async function renew(photo) {
  const fresh = await ask(`${racePath()}/photos/${photo.photo_id}`);
  photo.thumbnail_url = fresh.thumbnail_url;
  photo.preview_url = fresh.preview_url;
  return fresh;
}

async function tryAgain(image, photo, link) {
  image.onerror = null;
  if (await renew(photo).catch(() => null)) image.src = photo[link];
}

async function link(photo) {
  $("download").removeAttribute("href");
  const fresh = await renew(photo).catch((error) => error);
  if (found.photos[shownAt] !== photo) return;
  if (fresh instanceof Error) return void ($("viewer-problem").textContent = fresh.words);
  $("download").href = fresh.download_url;
  linkedAt = Date.now();
}

async function download(event) {
  const photo = found.photos[shownAt];
  if ($("download").href && Date.now() - linkedAt < LINKS_LAST_MS) return tellDownload(photo);
  event.preventDefault();
  $("viewer-problem").textContent = "";
  await link(photo);
  if (!$("download").href) return;
  save($("download").href);
  tellDownload(photo);
}

function tellDownload(photo) {
  window.visits?.tell("download", { photo_id: photo.photo_id });
}

async function downloadOriginal() {
  const photo = found.photos[shownAt];
  $("viewer-problem").textContent = "";
  $("original").disabled = true;
  try {
    save((await ask(`${racePath()}/photos/${photo.photo_id}/original`)).download_url);
    tellDownload(photo);
  } catch (error) {
    if (found.photos[shownAt] === photo) $("viewer-problem").textContent = error.words;
  } finally {
    $("original").disabled = false;
  }
}

// The page's own address, which finds the photos of the bib. A browser that cannot share copies it.
async function share() {
  const photo = found.photos[shownAt];
  try {
    if (navigator.share) await navigator.share({ title: document.title, url: location.href });
    else await navigator.clipboard.writeText(location.href);
  } catch {
    return; // she thought better of it, or the browser does not let her
  }
  if (!navigator.share) $("viewer-note").textContent = t("copied");
  window.visits?.tell("share", { photo_id: photo.photo_id });
}

function save(address) {
  Object.assign(document.createElement("a"), { href: address }).click();
}

function step(by) {
  if (found.photos[shownAt + by]) look(shownAt + by);
}

function leave() {
  $("large").removeAttribute("src");
  $("grid").children[shownAt]?.firstChild.focus();
  if (history.state?.photo) closeViewer(); // the browser closed it by itself
}

// One finger sideways turns the page. Two zoom, and on a zoomed page one moves it: those are the browser's.
function touch(event) {
  const zoomed = visualViewport && visualViewport.scale > 1.01;
  swipe = event.touches.length === 1 && !zoomed ? event.touches[0] : null;
}

function lift(event) {
  const from = swipe;
  swipe = null;
  if (!from || event.touches.length) return;
  const [x, y] = [event.changedTouches[0].clientX - from.clientX, event.changedTouches[0].clientY - from.clientY];
  if (Math.abs(x) > SWIPE && Math.abs(x) > Math.abs(y)) step(x < 0 ? 1 : -1);
}

// --- wiring

for (const button of document.querySelectorAll("[data-language]")) {
  button.onclick = () => {
    try { localStorage.setItem("snaprace-language", button.dataset.language); } catch { /* private mode */ }
    speak(button.dataset.language);
  };
}
for (const button of document.querySelectorAll("[data-tab]")) {
  button.onclick = () => choose(button.dataset.tab);
  button.onkeydown = moveTab;
}
$("home").href = location.pathname;
$("pick").onsubmit = (event) => {
  event.preventDefault();
  const { organizer, event: name } = $("pick").elements;
  if (!organizer.value.trim() || !name.value.trim()) {
    $("pick-problem").textContent = t("pick_both");
    return;
  }
  location.search = String(new URLSearchParams({ organizer: organizer.value.trim(), event: name.value.trim() }));
};
$("panel-bib").onsubmit = (event) => {
  event.preventDefault();
  const bib = $("bib").value.trim();
  if (bib) start({ kind: "bib", bib });
  else $("bib").focus();
};
$("panel-selfie").onsubmit = (event) => {
  event.preventDefault();
  if (selfie) start({ kind: "selfie", image: selfie, bib: $("bib").value.trim() });
};
$("file").onchange = () => takeFile($("file"));
$("capture").onchange = () => takeFile($("capture"));
$("take").onclick = openCamera;
$("shoot").onclick = shoot;
$("cancel").onclick = () => $("camera").close();
$("camera").onclose = closeCamera;
$("filters").onchange = () => search && load();
$("filters").onsubmit = (event) => event.preventDefault();
$("more").onclick = () => load(found.cursor);
$("close").onclick = closeViewer;
$("viewer").oncancel = (event) => {
  event.preventDefault();
  closeViewer();
};
$("download").onclick = download;
$("original").onclick = downloadOriginal;
$("share").onclick = share;
$("share").hidden = !navigator.share && !navigator.clipboard; // which are there in secure contexts alone
window.onpopstate = (event) => wentTo(event.state);
$("previous").onclick = () => step(-1);
$("next").onclick = () => step(1);
$("viewer").onclose = leave;
$("viewer").onkeydown = (event) => {
  if (event.key === "ArrowLeft") step(-1);
  if (event.key === "ArrowRight") step(1);
};
$("viewer").addEventListener("touchstart", touch, { passive: true });
$("viewer").addEventListener("touchend", lift, { passive: true });
$("viewer").addEventListener("touchcancel", () => { swipe = null; }, { passive: true });

choose("bib");
speak(language);
begin();
