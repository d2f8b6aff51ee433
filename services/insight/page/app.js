"use strict";

// The live page. It asks the insight API (its address is in <meta name="api">) every few seconds what a race is like,
// and shows what has changed. Thumbnails are asked of the search API, where <meta name="search"> says that there is
// one. The race is in the page's own address; nothing is kept but the language.

const EVERY_MS = 2500;
const LONGEST_MS = 60_000; // between two questions while there is no answer
const PATIENCE_MS = 15_000;
const LINKS_LAST_MS = 9 * 60_000; // of the 10 minutes that the search API promises
const MOST_PICTURES = 8;
const MOST_NAMES = 5;
const MOST_BIBS = 24;
const DAY_MS = 86_400_000;
const MEASURES = ["visitors", "sessions", "page_views", "searches", "photo_views", "downloads", "shares"];
const STEPS = ["uploaded", "taken_in", "bibs_read", "faces_indexed", "searchable", "waiting", "duplicates", "rejected"];
const DOINGS = ["page_views", "searches", "photo_views", "downloads", "shares"];

const $ = (id) => document.getElementById(id);
const meta = (name) => document.querySelector(`meta[name=${name}]`).content;
const api = new URL(meta("api"), document.baseURI);
const searchApi = meta("search") && new URL(meta("search"), document.baseURI);
const place = new URLSearchParams(location.search);
const race = { organizer: place.get("organizer"), event: place.get("event") };
const charts = Object.fromEntries(["visitors", "events", "flow", "stats"].map((name) => [name, new Chart($(`chart-${name}`))]));

let language = remembered() || document.documentElement.lang;
let live = null; // the newest answer about now
let liveAt = 0; // when it was last said to hold
let stats = null; // the newest answer about a range
let trouble = null; // how the newest question failed, as Refused; null when it was answered
let failures = 0; // one after the other
let timer = 0;
let asking = false;
let asked = 0; // number of the newest question about a range: answers to older ones are dropped
const tags = new Map(); // by address: the newest answer and the ETag under which to ask whether it still holds
const formats = new Map();
const thumbnails = new Map(); // by photo: {until, link}; link is a promise of the address, or of null

// --- words

function remembered() {
  try { return localStorage.getItem("snaprace-language"); } catch { return null; }
}

function t(key, values = {}) {
  let text = STRINGS[language][key];
  if (Array.isArray(text)) text = text[values.n === 1 ? 0 : 1];
  return text.replace(/\{(\w+)\}/g, (_, name) => (name === "n" ? number(values.n) : values[name]));
}

function speak(chosen) {
  language = chosen in STRINGS ? chosen : "en";
  document.documentElement.lang = language;
  for (const node of document.querySelectorAll("[data-t]")) say(node, t(node.dataset.t));
  for (const node of document.querySelectorAll("[data-t-label]")) node.setAttribute("aria-label", t(node.dataset.tLabel));
  for (const node of document.querySelectorAll("[data-language]")) {
    node.setAttribute("aria-pressed", String(node.dataset.language === language));
  }
  fill($("measure"), MEASURES, () => element("option"), (option, name) => {
    option.value = name;
    say(option, t(name));
  });
  if (live) showLive();
  if (stats) showStats();
  showState();
}

// Formats are made once: to make one takes longer than to write with it.
function format(Kind, options) {
  const key = [Kind.name, language, JSON.stringify(options)].join();
  if (!formats.has(key)) formats.set(key, new Kind(language, options));
  return formats.get(key);
}

const number = (value) => format(Intl.NumberFormat, {}).format(value);
const percent = (part, whole) => format(Intl.NumberFormat, { style: "percent" }).format(whole ? part / whole : 0);

function unit(value, name, digits = 0) {
  return format(Intl.NumberFormat, { style: "unit", unit: name, unitDisplay: "narrow", maximumFractionDigits: digits }).format(value);
}

function lasting(seconds) {
  if (seconds === null) return t("none");
  if (seconds < 60) return unit(seconds, "second", seconds < 10 ? 1 : 0);
  const minutes = Math.floor(Math.round(seconds) / 60);
  if (minutes >= 60) return `${unit(Math.floor(minutes / 60), "hour")} ${unit(minutes % 60, "minute")}`;
  return `${unit(minutes, "minute")} ${unit(Math.round(seconds) % 60, "second")}`;
}

function when(moment, form, timeZone = live.timezone) {
  return format(Intl.DateTimeFormat, { timeZone, ...form }).format(moment);
}

const HOUR = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
const SECOND = { ...HOUR, second: "2-digit" };
const DAY = { month: "short", day: "numeric" };

// --- the API

class Refused extends Error {
  constructor(code, message, after = 0) {
    super(message);
    this.code = code;
    this.after = after; // milliseconds that the server wants to be left alone
  }
  get words() { return STRINGS[language].errors[this.code] || this.message || STRINGS[language].errors.broken; }
}

// The answer, which may be the one that was given before.
async function ask(address) {
  const known = tags.get(address.href);
  let response;
  try {
    const headers = known ? { "If-None-Match": known.tag } : {};
    response = await fetch(address, { headers, cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS) });
    if (response.status === 304) return known.answer;
    const answer = await response.json().catch(() => null);
    if (response.ok && answer) return keep(address, response.headers.get("ETag"), answer);
    throw new Refused(answer?.error?.code || "broken", answer?.error?.message, 1000 * (Number(response.headers.get("Retry-After")) || 0));
  } catch (error) {
    throw error instanceof Refused ? error : new Refused("offline");
  }
}

// Of ranges the newest alone, so that a screen that hangs for weeks keeps no more and no more.
function keep(address, tag, answer) {
  for (const href of tags.keys()) if (new URL(href).pathname === address.pathname) tags.delete(href);
  if (tag) tags.set(address.href, { tag, answer });
  return answer;
}

function about(what, query = {}) {
  const address = new URL(`${encodeURIComponent(race.organizer)}/${encodeURIComponent(race.event)}/${what}`, api);
  address.search = String(new URLSearchParams(query));
  return address;
}

// --- asking again and again

function next() {
  const wait = failures ? Math.min(LONGEST_MS, EVERY_MS * 2 ** failures) * (0.75 + Math.random() / 4) : EVERY_MS;
  timer = setTimeout(beat, Math.max(wait, trouble?.after || 0));
}

// Now, unless nobody looks: who looks again is shown what is new at once.
async function beat() {
  clearTimeout(timer);
  if (asking || document.hidden) return;
  asking = true;
  try {
    const answer = await ask(about("realtime"));
    const minute = live?.minute;
    [trouble, failures, liveAt] = [null, 0, Date.now()];
    if (answer !== live) {
      live = answer;
      showLive();
    }
    if (minute !== live.minute) loadStats();
  } catch (error) {
    [trouble, failures] = [error instanceof Refused ? error : new Refused("broken"), failures + 1];
    if (!(error instanceof Refused)) console.error(error); // a wall goes on, and says that it is not live
    if (error.code === "unknown_race") return void pick(STRINGS[language].errors.no_race);
  } finally {
    asking = false;
    delete document.body.dataset.opening;
  }
  showState();
  next();
}

// --- what is there

function showState() {
  $("since").hidden = !live;
  document.body.classList.toggle("stale", Boolean(trouble));
  if (live) {
    const time = when(liveAt, SECOND);
    say($("pill"), t(trouble ? "not_live" : "live"));
    say($("updated"), t("updated", { time }));
    say($("zone"), t("zone", { zone: zoneName() }));
  }
  if (!trouble || !$("pick").hidden) return void say($("trouble"), "");
  say($("trouble"), t(live ? "stale" : "nothing_yet", { why: trouble.words, time: live && when(liveAt, SECOND) }));
}

function zoneName() {
  const parts = format(Intl.DateTimeFormat, { timeZone: live.timezone, timeZoneName: "long" }).formatToParts(liveAt);
  return parts.find(({ type }) => type === "timeZoneName").value;
}

function showLive() {
  $("room").hidden = false;
  $("pick").hidden = true;
  say($("title"), live.name);
  document.title = `${t("titled", { name: live.name })} – SnapRace`;
  say($("active"), number(live.active_visitors));
  say($("sessions"), number(live.live_sessions));
  say($("searchable"), number(live.flow.searchable));
  say($("waiting"), number(live.flow.waiting));
  say($("covered"), live.coverage ? percent(live.coverage.covered, live.coverage.runners) : t("none"));
  showTrend();
  showFlow();
  showCoverage();
  ranks("pages", live.pages, "no-pages");
  ranks("missed", live.missed, "no-missed");
  ranks("reasons", live.flow.reasons.map(({ reason, count }) => ({ name: STRINGS[language].reasons[reason] || reason, count })), "no-reasons");
  pictures("photos", live.photos, "no-top-photos");
}

function minutes(trend, values) {
  return trend.map((minute, i) => ({
    label: when(new Date(minute.begin), HOUR), values: values(minute), running: i === trend.length - 1,
  }));
}

// A sentence for who does not see the chart: the highest bar, and the last one.
function sentence(points, at = 0) {
  const most = points.reduce((best, point) => (point.values[at] > best.values[at] ? point : best), points[0]);
  if (!most || !most.values[at]) return t("flat");
  const last = points.at(-1);
  return t(last.running ? "peak" : "peak_range", { most: number(most.values[at]), time: most.label, last: number(last.values[at]) });
}

function draw(name, title, points, series, at = 0) {
  const words = { title, sentence: sentence(points, at), table: t("table", { title }), first: t("time") };
  charts[name].show({ points, series, words, number });
}

const done = (kinds) => DOINGS.reduce((sum, name) => sum + kinds[name], 0);

function showTrend() {
  const empty = !live.trend.some((minute) => minute.visitors || done(minute));
  $("no-visitors").hidden = !empty;
  draw("visitors", t("visitors_minute"), minutes(live.trend, ({ visitors }) => [visitors]), [{ name: t("visitors"), kind: "people" }]);
  draw("events", t("events_minute"), minutes(live.trend, (minute) => [done(minute), ...DOINGS.map((name) => minute[name])]),
    [{ name: t("everything"), kind: "doings" }, ...DOINGS.map((name) => ({ name: t(name) }))]);
}

function showFlow() {
  const { flow } = live;
  fill($("flow"), STEPS, step, (item, field) => {
    item.className = field;
    say(item.children[0], t(`step_${field}`));
    say(item.children[1], number(flow[field]));
    item.style.setProperty("--part", String(flow.uploaded ? Math.min(1, flow[field] / flow.uploaded) : 0));
  });
  say($("p50"), lasting(flow.p50_s));
  say($("p95"), lasting(flow.p95_s));
  $("no-photos").hidden = Boolean(flow.uploaded);
  draw("flow", t("photos_minute"), minutes(flow.trend, ({ uploaded, searchable }) => [uploaded, searchable]),
    [{ name: t("step_uploaded"), kind: "came" }, { name: t("step_searchable"), kind: "ready" }], 1);
}

const step = () => element("li", "", element("span", "name"), element("span", "count"));

function showCoverage() {
  const { coverage } = live;
  $("coverage").hidden = !coverage;
  $("no-roster").hidden = Boolean(coverage);
  if (!coverage) return;
  const { runners, covered, missing, as_of: asOf } = coverage;
  say($("coverage-share"), t("coverage_share", { covered: number(covered), runners: number(runners), share: percent(covered, runners) }));
  $("gauge").style.setProperty("--part", String(runners ? covered / runners : 0));
  const shown = missing.slice(0, MOST_BIBS);
  fill($("missing"), shown, () => element("li"), say);
  const more = runners - covered - shown.length;
  const notes = [more > 0 && t("more_missing", { n: more }), covered >= runners && t("all_covered"), t("as_of", { time: when(new Date(asOf), HOUR) })];
  say($("coverage-note"), notes.filter(Boolean).join(" · "));
}

// All that are not named come last, as the others, and have no bar: it would dwarf the rest.
function ranks(id, all, empty) {
  const named = all.filter(({ name }) => name);
  const most = Math.max(1, ...named.map(({ count }) => count));
  const others = all.reduce((sum, { count }) => sum + count, 0) - named.slice(0, MOST_NAMES).reduce((sum, { count }) => sum + count, 0);
  const shown = [...named.slice(0, MOST_NAMES), ...(others ? [{ name: "", count: others }] : [])];
  fill($(id), shown, step, (item, { name, count }) => {
    item.className = name ? "" : "others";
    say(item.children[0], name || t("others"));
    say(item.children[1], number(count));
    item.style.setProperty("--part", String(name ? count / most : 0));
  });
  if (empty) $(empty).hidden = shown.length > 0;
}

// --- photos

function pictures(id, named, empty) {
  const shown = named.filter(({ name }) => name).slice(0, MOST_PICTURES);
  fill($(id), shown, picture, (item, { name, count }) => {
    if (item.dataset.photo !== name) {
      item.dataset.photo = name;
      item.querySelector("img")?.remove();
      if (searchApi) link(name).then((address) => address && item.dataset.photo === name && hang(item, name, address));
    }
    const short = name.slice(0, 8);
    say(item.querySelector(".id"), t("photo", { id: short }));
    say(item.querySelector(".count"), t("times", { n: count }));
  });
  if (empty) $(empty).hidden = shown.length > 0;
}

const picture = () => element("li", "", element("span", "frame", element("span", "id")), element("span", "count"));

function hang(item, name, address) {
  const image = new Image();
  image.alt = ""; // its id is beside it
  image.onerror = () => {
    thumbnails.delete(name);
    image.remove();
  };
  image.src = address;
  item.querySelector(".frame").append(image);
}

// A photo's thumbnail; null where it is withdrawn, or there is no search API. Then it is asked again after a while.
function link(photo) {
  const known = thumbnails.get(photo);
  if (known && known.until > Date.now()) return known.link;
  const path = `races/${[race.organizer, race.event].map(encodeURIComponent).join("/")}/photos/${encodeURIComponent(photo)}`;
  const address = fetch(new URL(path, searchApi)).then((response) => (response.ok ? response.json() : {}))
    .then((found) => found.thumbnail_url || null).catch(() => null);
  thumbnails.delete(photo);
  thumbnails.set(photo, { until: Date.now() + LINKS_LAST_MS, link: address });
  while (thumbnails.size > 100) thumbnails.delete(thumbnails.keys().next().value);
  return address;
}

// --- statistics

function today() {
  const parts = new Intl.DateTimeFormat("en", { timeZone: live.timezone, year: "numeric", month: "2-digit", day: "2-digit" }).formatToParts(liveAt);
  const part = (wanted) => parts.find(({ type }) => type === wanted).value;
  return `${part("year")}-${part("month")}-${part("day")}`;
}

// The last seven days, until somebody chooses others; the page may be open over midnight.
function defaultRange() {
  const { from, to } = $("range").elements;
  if (from.dataset.chosen) return;
  to.value = today();
  from.value = new Date(Date.parse(`${to.value}T00:00Z`) - 6 * DAY_MS).toISOString().slice(0, 10);
}

async function loadStats() {
  defaultRange();
  const { from, to, bucket } = $("range").elements;
  const problem = !from.value || !to.value ? "no_days" : from.value > to.value ? "from_after_to" : null;
  const mine = ++asked;
  if (problem) return void say($("stats-problem"), STRINGS[language].errors[problem]);
  const query = { from: from.value, to: to.value, bucket: bucket.value };
  $("csv").href = about("stats.csv", query);
  $("stats-body").setAttribute("aria-busy", "true");
  try {
    const answer = await ask(about("stats", query));
    if (mine !== asked) return;
    stats = answer;
    say($("stats-problem"), "");
    showStats();
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    if (mine === asked) say($("stats-problem"), error.words);
  } finally {
    if (mine === asked) $("stats-body").removeAttribute("aria-busy");
  }
}

function showStats() {
  const { totals } = stats;
  const facts = [
    [t("visitors"), totals.visitors_exact ? number(totals.visitors) : `≈ ${number(totals.visitors)}`],
    [t("sessions"), number(totals.sessions)],
    [t("session_s"), lasting(totals.session_s)],
    [t("bounced"), percent(totals.bounced, totals.sessions)],
    [t("page_views"), number(totals.page_views)],
    [t("searches"), number(totals.searches)],
    [t("found_share"), totals.searches ? percent(totals.found, totals.searches) : t("none")],
    [t("photo_views"), number(totals.photo_views)],
    [t("downloads"), number(totals.downloads)],
    [t("shares"), number(totals.shares)],
    [t("robots"), number(totals.robots)],
  ];
  fill($("totals"), facts, () => element("div", "", element("dt"), element("dd")), (fact, words) => words.forEach((each, i) => say(fact.children[i], each)));
  const empty = !totals.visitors && !done(totals);
  $("no-stats").hidden = !empty;
  $("stats-lists").hidden = empty;
  say($("stats-note"), [t("visitors_daily"), !totals.visitors_exact && t("visitors_about")].filter(Boolean).join(" "));
  const measure = $("measure").value;
  draw("stats", t(`measure_${stats.bucket}`, { measure: t(measure) }), buckets(),
    MEASURES.map((name) => ({ name: t(name), kind: name === measure ? "people" : "" })), MEASURES.indexOf(measure));
  ranks("range-pages", stats.pages);
  ranks("range-missed", stats.missed);
  ranks("range-referrers", stats.referrers);
  pictures("range-photos", stats.photos);
  pictures("range-downloaded", stats.downloaded);
  for (const list of $("stats-lists").querySelectorAll("ol")) list.dataset.empty = t("nobody");
}

// An hour that comes twice, when clocks go back, is told by its zone.
function buckets() {
  const form = { ...DAY, ...(stats.bucket === "hour" && HOUR) };
  const labels = stats.buckets.map(({ begin }) => when(new Date(begin), form, stats.timezone));
  return stats.buckets.map((bucket, i) => ({
    label: labels.indexOf(labels[i]) === labels.lastIndexOf(labels[i])
      ? labels[i] : when(new Date(bucket.begin), { ...form, timeZoneName: "short" }, stats.timezone),
    values: MEASURES.map((name) => bucket[name]),
  }));
}

// --- which race

function pick(problem = "") {
  $("room").hidden = true;
  $("since").hidden = true;
  $("pick").hidden = false;
  $("pick").elements.organizer.value = race.organizer || "";
  $("pick").elements.event.value = race.event || "";
  say($("pick-problem"), problem);
  say($("trouble"), "");
  delete document.body.dataset.opening;
}

// --- wiring

for (const button of document.querySelectorAll("[data-language]")) {
  button.onclick = () => {
    try { localStorage.setItem("snaprace-language", button.dataset.language); } catch { /* private mode */ }
    speak(button.dataset.language);
  };
}
$("home").href = location.pathname;
$("pick").onsubmit = (event) => {
  event.preventDefault();
  const { organizer, event: name } = $("pick").elements;
  if (!organizer.value.trim() || !name.value.trim()) return void say($("pick-problem"), t("pick_both"));
  location.search = String(new URLSearchParams({ organizer: organizer.value.trim(), event: name.value.trim() }));
};
$("range").onsubmit = (event) => event.preventDefault();
$("range").onchange = ({ target }) => {
  if (target === $("measure")) return void (stats && showStats());
  if (target.type === "date") $("range").elements.from.dataset.chosen = "yes";
  loadStats();
};

speak(language);
if (race.organizer && race.event) {
  document.addEventListener("visibilitychange", beat);
  addEventListener("online", beat);
  beat();
} else pick();
