"use strict";

// The runner's page. It asks the search API (its address is in <meta name="api">) and keeps nothing but the
// language. The race and the bib are in the page's own address, so that a link to a result can be shared.

const MAX_SELFIE_SIDE = 1280;
const PAGE_SIZE = 24;

const $ = (id) => document.getElementById(id);
const api = new URL(document.querySelector("meta[name=api]").content, document.baseURI);
const place = new URLSearchParams(location.search);
const race = { organizer: place.get("organizer"), event: place.get("event"), info: null };

let language = remembered() || document.documentElement.lang;
let tab = "bib";
let selfie = null; // base64 of the downscaled JPEG, while a search by selfie is being made up
let search = null; // what the results show: {kind, bib, image}
let found = { photos: [], cursor: null, total: null, fresh: new Set() };
let asked = 0; // number of the newest question: answers to older ones are dropped
let shownAt = 0;

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
  const asked = { limit: String(PAGE_SIZE), order: filters.get("order") };
  for (const end of ["from", "to"]) if (filters.get(end)) asked[end] = `${race.info.date}T${filters.get(end)}`;
  if (search.bib) asked.bib = search.bib;
  if (search.kind === "bib" && filters.get("doubtful")) asked.doubtful = "true";
  if (cursor) asked.cursor = cursor;
  return asked;
}

function fetchPage(cursor) {
  if (search.kind !== "selfie") return ask(`${racePath()}/photos?${new URLSearchParams(question(cursor))}`);
  const body = { ...question(cursor), organizer_id: race.organizer, event_id: race.event, image_b64: search.image };
  return ask("selfie", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
}

// --- which race

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
    const page = await fetchPage(cursor);
    if (mine !== asked) return;
    found.photos.push(...page.photos);
    found.cursor = page.next_cursor;
    found.total = page.total;
    if (search.bib) for (const photo of page.new_photos || []) found.fresh.add(photo.photo_id);
    showResults(cursor ? found.photos.length - page.photos.length : 0);
    if (cursor) $("grid").children[found.photos.length - page.photos.length]?.firstChild.focus();
    else bringIntoView();
  } catch (error) {
    if (mine === asked) complain(error);
  } finally {
    if (mine === asked) {
      $("results").removeAttribute("aria-busy");
      $("more").disabled = false;
    }
  }
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

function complain(error) {
  if (!(error instanceof Refused)) throw error;
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

function time(photo) {
  return photo.taken_at ? photo.taken_at.slice(11, 16) : "";
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
  $("large").src = photo.preview_url;
  $("large").alt = describe(photo, at);
  $("large").style.background = `url("${photo.placeholder}") center / contain no-repeat`;
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
  if (!$("viewer").open) $("viewer").showModal();
  link(photo);
}

// Links live for minutes: the one to download, and the preview if its link has died, are fetched when looked at.
async function link(photo) {
  $("download").removeAttribute("href");
  const fresh = await ask(`${racePath()}/photos/${photo.photo_id}`).catch(() => null);
  if (!fresh || found.photos[shownAt] !== photo) return;
  $("download").href = fresh.download_url;
  if ($("large").complete && !$("large").naturalWidth) $("large").src = fresh.preview_url;
}

function step(by) {
  if (found.photos[shownAt + by]) look(shownAt + by);
}

function leave() {
  $("large").removeAttribute("src");
  $("grid").children[shownAt]?.firstChild.focus();
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
$("close").onclick = () => $("viewer").close();
$("previous").onclick = () => step(-1);
$("next").onclick = () => step(1);
$("viewer").onclose = leave;
$("viewer").onkeydown = (event) => {
  if (event.key === "ArrowLeft") step(-1);
  if (event.key === "ArrowRight") step(1);
};
let touchedAt = 0;
$("viewer").addEventListener("touchstart", (event) => { touchedAt = event.changedTouches[0].clientX; }, { passive: true });
$("viewer").addEventListener("touchend", (event) => {
  const moved = event.changedTouches[0].clientX - touchedAt;
  if (Math.abs(moved) > 60) step(moved < 0 ? 1 : -1);
}, { passive: true });

choose("bib");
speak(language);
openRace();
