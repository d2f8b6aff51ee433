"use strict";

// Lines over time, made of the live page's chart (charts.js): its figure, its words around the plot and its table. A
// line has a gap where a value is missing. What is under the pointer is told below; the table tells all of it.

const COLOURS = 8;

// The least of 1, 2, 5, 10, 20, 50…, and of their tenths and so on, that is not below.
function roundedUp(most) {
  if (!(most > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(most));
  return [1, 2, 5, 10].find((each) => each * power >= most * (1 - 1e-9)) * power;
}

class LineChart extends Chart {
  constructor(figure) {
    super(figure);
    this.columns.setAttribute("class", "bars lines");
    this.right = element("div", "heights right");
    this.right.setAttribute("aria-hidden", "true");
    this.columns.after(this.right);
    this.readout = element("p", "readout");
    this.readout.setAttribute("aria-hidden", "true");
    figure.querySelector("details").before(this.readout);
    figure.querySelector("details").addEventListener("toggle", () => this.tabulateIfOpen());
    this.columns.addEventListener("pointermove", (event) => this.point(event));
    this.columns.addEventListener("pointerleave", () => this.unpoint());
    this.figure = figure;
  }

  // `points` are {label, values}, a value or null for each of `series` ({name, right}); `limits` are {value, label,
  // right}. `words` are as for bars.
  showLines({ points, series, limits, stacked, low, high, words, number }) {
    const tops = [false, true].map((right) => this.top(points, series, limits, stacked, right, right ? null : high));
    const bottom = low ?? 0;
    Object.assign(this, { points, series, number, words });
    this.figure.classList.toggle("two", series.some(({ right }) => right));
    say(this.caption, words.title);
    say(this.summary, words.table);
    this.region.setAttribute("aria-label", words.title);
    this.columns.setAttribute("aria-label", `${words.title}. ${words.sentence}`);
    const at = (value, right) => 100 - (100 * (value - (right ? 0 : bottom))) / (tops[Number(right)] - (right ? 0 : bottom));
    this.drawLines(points, series, limits, stacked, at);
    this.explain(series, limits, number);
    const marks = (top, from) => [top, (top + from) / 2, from];
    fill(this.heights, marks(tops[0], bottom), () => element("span"), (node, value) => say(node, number(value)));
    fill(this.right, this.figure.classList.contains("two") ? marks(tops[1], 0) : [], () => element("span"), (node, value) => say(node, number(value)));
    this.name(points);
    this.tabulateIfOpen();
  }

  top(points, series, limits, stacked, right, given) {
    if (given !== null && given !== undefined) return given;
    const own = series.map((each, i) => ({ i, right: Boolean(each.right) })).filter((each) => each.right === right);
    const heights = points.map(({ values }) => {
      const told = own.map(({ i }) => values[i]).filter((value) => value !== null);
      return stacked ? told.reduce((sum, value) => sum + value, 0) : Math.max(0, ...told);
    });
    const most = Math.max(0, ...heights);
    // A limit that is far above what there is would press all lines flat.
    const near = limits.filter((limit) => Boolean(limit.right) === right && (!most || limit.value <= 4 * most));
    return roundedUp(Math.max(most, ...near.map(({ value }) => value)));
  }

  drawLines(points, series, limits, stacked, at) {
    const width = Math.max(1, points.length - 1);
    set(this.columns, { viewBox: `0 0 ${width} 100` });
    const below = points.map(() => 0);
    const paths = series.flatMap(({ right }, i) => {
      const steps = points.map(({ values }, x) => {
        if (values[i] === null) return null;
        const from = stacked ? below[x] : 0;
        if (stacked) below[x] += values[i];
        return { x, from: at(from, right), y: at(from + values[i], right) };
      });
      const path = stacked ? area(steps) : line(steps);
      const dashed = !stacked && i >= COLOURS;
      const whole = { class: `${stacked ? "area" : "line"} s${i % COLOURS}${dashed ? " dashed" : ""}`, d: path };
      return stacked ? [whole] : [whole, { class: `dots s${i % COLOURS}`, d: dots(steps) }];
    });
    const across = limits.map(({ value, right }) => at(value, right)).filter((y) => y >= 0 && y <= 100);
    const marks = across.map((y) => ({ class: "limit", d: `M0 ${y}H${width}` }));
    fill(this.columns, [...paths, ...marks, { class: "cursor", d: "" }], () => drawn("path", {}), (node, each) => set(node, each));
  }

  explain(series, limits, number) {
    const entries = [
      ...series.map(({ name, right }, i) => ({ kind: `s${i % COLOURS}`, words: right ? `${name} (right)` : name })),
      ...limits.map(({ value, label }) => ({ kind: "limits", words: `${label || "limit"}: ${number(value)}` })),
    ];
    fill(this.legend, entries.length > 1 ? entries : [], () => element("li"), (item, { kind, words }) => {
      item.className = kind;
      say(item, words);
    });
  }

  tabulateIfOpen() {
    if (!this.points || !this.figure.querySelector("details").open) return;
    const written = (value) => (value === null ? "–" : this.number(value));
    this.tabulate(this.points, [this.words.first, ...this.series.map(({ name }) => name)], written);
  }

  point(event) {
    if (!this.points?.length) return;
    const { left, width } = this.columns.getBoundingClientRect();
    const last = this.points.length - 1;
    const x = Math.min(last, Math.max(0, Math.round(((event.clientX - left) / width) * last)));
    const { label, values } = this.points[x];
    const told = this.series.map(({ name }, i) => (values[i] === null ? "" : `${name} ${this.number(values[i])}`));
    say(this.readout, `${label}: ${told.filter(Boolean).join(", ") || "nothing"}`);
    set(this.columns.lastElementChild, { d: `M${x} 0V100` });
  }

  unpoint() {
    say(this.readout, "");
    set(this.columns.lastElementChild, { d: "" });
  }
}

// A line begins anew after each gap; a value that stands alone is a short stroke.
function line(steps) {
  let path = "";
  let joined = false;
  steps.forEach((step) => {
    if (step) {
      path += `${joined ? "L" : "M"}${step.x} ${step.y}`;
    }
    joined = Boolean(step);
  });
  return path;
}

// What stands alone, between two gaps, is no line: it is drawn as a dot.
function dots(steps) {
  const alone = steps.filter((step, i) => step && !steps[i - 1] && !steps[i + 1]);
  return alone.map(({ x, y }) => `M${x} ${y}h.01`).join("");
}

function area(steps) {
  const runs = [];
  steps.forEach((step, i) => {
    if (!step) return;
    if (!i || !steps[i - 1]) runs.push([]);
    runs.at(-1).push(step);
  });
  const closed = (run) => `M${run.map(({ x, y }) => `${x} ${y}`).join("L")}L${run.toReversed().map(({ x, from }) => `${x} ${from}`).join("L")}Z`;
  return runs.map(closed).join("");
}
