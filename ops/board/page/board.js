"use strict";

// Shows one dashboard and asks for it again every few seconds, while the page is seen. Widgets stay where they are and
// change in place.

const EVERY_MS = 1000 * Number(document.querySelector("meta[name=every]").content);
const boards = document.getElementById("board");
const hours = document.getElementById("hours");
const room = document.getElementById("widgets");
const trouble = document.getElementById("trouble");
const title = document.getElementById("title");
const since = document.getElementById("since");
const updated = document.getElementById("updated");

const clock = new Intl.DateTimeFormat([], { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const exact = new Intl.DateTimeFormat([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const day = new Intl.DateTimeFormat([], { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const large = new Intl.NumberFormat([], { maximumFractionDigits: 0 });
const small = new Intl.NumberFormat([], { maximumSignificantDigits: 3 });
const STATES = { ALARM: "Alarm", INSUFFICIENT_DATA: "No data", OK: "OK" };

let shown = "";
let asking = null;

function number(value) {
  return Math.abs(value) >= 100 ? large.format(value) : small.format(value);
}

async function ask(path, signal) {
  const answer = await fetch(path, { signal });
  const told = await answer.json();
  if (!answer.ok) throw new Error(told.error.message);
  return told;
}

async function refresh() {
  asking?.abort();
  asking = new AbortController();
  const { signal } = asking;
  const name = boards.value;
  if (!name) return;
  try {
    const told = await ask(`api/boards/${encodeURIComponent(name)}?hours=${hours.value}`, signal);
    if (!signal.aborted) show(told);
    say(trouble, "");
    document.body.classList.remove("stale");
  } catch (error) {
    if (signal.aborted) return;
    document.body.classList.add("stale");
    say(trouble, error instanceof TypeError ? "The server of this page does not answer; is snaprace dashboards still running?" : error.message);
  }
}

function show(told) {
  say(title, told.name);
  document.title = `${told.name} – SnapRace`;
  since.hidden = false;
  say(updated, `As of ${exact.format(told.at * 1000)}`);
  const kinds = JSON.stringify([told.name, told.widgets.map(({ kind, width }) => [kind, width])]);
  if (kinds !== shown) room.replaceChildren(...told.widgets.map(made));
  shown = kinds;
  told.widgets.forEach((widget, i) => room.children[i].show(widget));
}

function made(widget) {
  const node = { chart: chart, text: text, alarms: alarms, numbers: numbers, gauge: numbers, other: other }[widget.kind]();
  node.style.setProperty("--at", widget.x + 1);
  node.style.setProperty("--width", widget.width);
  return node;
}

function text() {
  const node = element("div", "card text prose");
  node.show = ({ html }) => {
    if (node.was !== html) node.innerHTML = html; // the server's Markdown: HTML within it is shown, not meant
    node.was = html;
  };
  return node;
}

function headed(name) {
  const heading = element("h2");
  const node = element("section", `card ${name}`, heading);
  node.heading = heading;
  return node;
}

function other() {
  const node = headed("other");
  const problem = element("p", "nothing");
  node.append(problem);
  node.show = (widget) => {
    say(node.heading, widget.title || "Widget");
    say(problem, widget.problem);
  };
  return node;
}

function chart() {
  const figure = element("figure", "chart");
  const lines = new LineChart(figure);
  const nothing = element("p", "nothing");
  const node = element("section", "card", figure, nothing);
  node.show = ({ title: name, times, series, limits, stacked, low, high, problem }) => {
    const span = times.length ? times.at(-1) - times[0] : 0;
    const format = span > 20 * 3600 ? day : clock;
    const points = times.map((at, i) => ({ label: format.format(at * 1000), values: series.map(({ values }) => values[i]) }));
    const told = series.some(({ values }) => values.some((value) => value !== null));
    say(nothing, problem || (told ? "" : "Nothing was told in this time."));
    const words = { title: name, sentence: summary(series), table: "As a table", first: "Time" };
    lines.showLines({ points, series, limits, stacked, low, high, words, number });
  };
  return node;
}

// For those who do not see the lines: the newest value of each.
function summary(series) {
  const told = series.map(({ name, values }) => {
    const newest = values.findLast((value) => value !== null);
    return newest === undefined ? `${name}: nothing` : `${name}: ${number(newest)}`;
  });
  return `Last: ${told.join(", ")}.`;
}

function numbers() {
  const node = headed("number");
  const list = element("dl", "numbers");
  const problem = element("p", "nothing");
  node.append(list, problem);
  node.show = ({ kind, title: name, values, low, high, problem: why }) => {
    say(node.heading, name || "Numbers");
    say(problem, why || "");
    fill(list, values, () => element("div", "", element("dt"), element("dd")), (row, each) => {
      say(row.children[0], each.name);
      say(row.children[1], each.value === null ? "–" : number(each.value));
      if (kind === "gauge" && each.value !== null) row.children[1].append(measured(each, low ?? 0, high ?? 100));
    });
  };
  return node;
}

function measured({ name, value }, min, max) {
  const meter = element("meter");
  Object.assign(meter, { min, max, value });
  meter.setAttribute("aria-label", name);
  return meter;
}

// Those that ring are seen at once, all others when they are asked for.
function alarms() {
  const node = headed("states");
  const [ringing, others] = [element("ul", "alarms"), element("ul", "alarms")];
  const summary = element("summary");
  node.append(ringing, element("details", "", summary, others));
  node.show = ({ title: name, alarms: told }) => {
    const rings = told.filter(({ state }) => state === "ALARM");
    const quiet = told.filter(({ state }) => state !== "ALARM");
    const silent = quiet.filter(({ state }) => state === "INSUFFICIENT_DATA").length;
    say(node.heading, `${name || "Alarms"}: ${rings.length ? `${rings.length} of ${told.length} ring` : "none rings"}`);
    say(summary, `${quiet.length - silent} OK${silent ? `, ${silent} without data` : ""}`);
    const make = () => element("li", "", element("span", "state"), element("span", "name"), element("span", "why"));
    fill(ringing, rings, make, state);
    fill(others, quiet, make, state);
  };
  return node;
}

function state(item, alarm) {
  const [word, name, why] = item.children;
  item.className = alarm.state;
  say(word, STATES[alarm.state] || alarm.state);
  if (item.was !== alarm.name) name.replaceChildren(alarm.runbook ? linked(alarm) : alarm.name);
  item.was = alarm.name;
  const quiet = alarm.quiet_by ? ` Kept quiet by ${alarm.quiet_by}` : "";
  say(why, alarm.state === "ALARM" ? `Since ${day.format(alarm.since * 1000)}. ${alarm.meaning} ${alarm.why}${quiet}` : "");
}

function linked({ name, runbook }) {
  const link = element("a", "", name);
  link.href = runbook;
  link.title = "What to do";
  return link;
}

function remember() {
  const place = new URLSearchParams({ board: boards.value, hours: hours.value });
  history.replaceState(null, "", `?${place}`);
  refresh();
}

async function open() {
  const asked = new URLSearchParams(location.search);
  try {
    const names = await ask("api/boards");
    boards.replaceChildren(...names.map((name) => new Option(name, name)));
    if (!names.length) say(trouble, "No dashboard is deployed in this environment.");
    if (names.includes(asked.get("board"))) boards.value = asked.get("board");
    if ([...hours.options].some(({ value }) => value === asked.get("hours"))) hours.value = asked.get("hours");
  } catch (error) {
    say(trouble, error.message);
  }
  await refresh();
  setInterval(() => document.hidden || refresh(), EVERY_MS);
}

boards.addEventListener("change", remember);
hours.addEventListener("change", remember);
document.addEventListener("visibilitychange", () => document.hidden || refresh());
open();
