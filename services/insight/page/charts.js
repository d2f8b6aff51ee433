"use strict";

// Bar charts with the table of what they show behind them. A chart is drawn into a <figure> once; after that its bars
// and cells change their values in place, so that nothing flashes and a reader of the table keeps her place.
// Bars are SVG stretched to the figure's width, the words around them HTML: they keep their size on every screen.
// The operator's dashboards (ops/board) draw lines in place of the bars; all else is the same.

const SVG = "http://www.w3.org/2000/svg";
const MOST_LABELS = 8;
const WANTED_LABELS = 6;

function element(name, className = "", ...children) {
  const node = document.createElement(name);
  if (className) node.className = className;
  node.append(...children);
  return node;
}

function drawn(name, attributes) {
  const node = document.createElementNS(SVG, name);
  set(node, attributes);
  return node;
}

function set(node, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (node.getAttribute(name) !== String(value)) node.setAttribute(name, value);
  }
}

function say(node, words) {
  if (node.textContent !== String(words)) node.textContent = words;
}

// As many children as there are items: the first ones stay, each is shown its item.
function fill(parent, items, make, show) {
  while (parent.children.length > items.length) parent.lastElementChild.remove();
  items.forEach((item, i) => {
    if (!parent.children[i]) parent.append(make());
    show(parent.children[i], item, i);
  });
}

// The least of 2, 4, 6, 8, 10, 20, 40… that is not below: its half is a whole number, too.
function ceiling(most) {
  for (let step = 1; ; step *= 10) {
    const found = [2, 4, 6, 8, 10].find((each) => each * step >= most);
    if (found) return found * step;
  }
}

class Chart {
  constructor(figure) {
    this.caption = element("figcaption");
    this.legend = element("ul", "legend");
    this.columns = drawn("svg", { preserveAspectRatio: "none", role: "img", class: "bars" });
    this.heights = element("div", "heights");
    this.heights.setAttribute("aria-hidden", "true");
    this.labels = element("div", "labels");
    this.labels.setAttribute("aria-hidden", "true");
    this.summary = element("summary");
    this.head = element("tr");
    this.body = element("tbody");
    this.region = element("div", "scroll", element("table", "", element("thead", "", this.head), this.body));
    this.region.tabIndex = 0;
    this.region.setAttribute("role", "region");
    const plot = element("div", "plot", this.heights, this.columns, this.labels);
    figure.replaceChildren(element("div", "about", this.caption, this.legend), plot, element("details", "", this.summary, this.region));
  }

  // `points` are {label, values, running}, a value for each of `series` ({name, kind}). A series without a kind is in
  // the table alone. `words` are the chart's title, what it shows in a
  // sentence, the table's name and its first heading. `number` writes a value.
  show({ points, series, words, number }) {
    const bars = series.map(({ name, kind }, at) => ({ name, kind, at })).filter(({ kind }) => kind);
    const top = ceiling(Math.max(0, ...points.flatMap(({ values }) => bars.map(({ at }) => values[at]))));
    say(this.caption, words.title);
    say(this.summary, words.table);
    this.region.setAttribute("aria-label", words.title);
    this.draw(points, bars, top, number);
    this.columns.setAttribute("aria-label", `${words.title}. ${words.sentence}`);
    fill(this.legend, bars.length > 1 ? bars : [], () => element("li"), (item, { name, kind }) => {
      item.className = kind;
      say(item, name);
    });
    fill(this.heights, [top, top / 2, 0], () => element("span"), (node, value) => say(node, number(value)));
    this.name(points);
    this.tabulate(points, [words.first, ...series.map(({ name }) => name)], number);
  }

  draw(points, bars, top, number) {
    set(this.columns, { viewBox: `0 0 ${Math.max(1, points.length)} 100` });
    const width = 0.76 / bars.length;
    fill(this.columns, points, () => drawn("g", {}), (column, { label, values, running }, i) => {
      column.classList.toggle("running", Boolean(running));
      const parts = bars.map(({ kind, at }, j) => ({ kind, value: values[at], x: i + 0.12 + j * width }));
      if (!column.firstChild) column.append(drawn("title", {}), drawn("rect", { class: "column" }));
      const [title, whole] = column.children;
      set(whole, { x: i, y: 0, width: 1, height: 100 });
      while (column.children.length > bars.length + 2) column.lastElementChild.remove();
      parts.forEach(({ kind, value, x }, j) => {
        const bar = column.children[j + 2] || column.appendChild(drawn("rect", {}));
        const height = value ? Math.max(1.5, (100 * value) / top) : 0; // one of thousands is seen, too
        set(bar, { class: `bar ${kind}`, x, y: 100 - height, width, height });
      });
      say(title, `${label}: ${bars.map(({ name, at }) => `${name} ${number(values[at])}`).join(", ")}`);
    });
  }

  // Counted from the end, which is what one looks at.
  name(points) {
    const step = points.length > MOST_LABELS ? Math.ceil(points.length / WANTED_LABELS) : 1;
    const named = points.map(({ label }, i) => ({ label, i })).filter(({ i }) => (points.length - 1 - i) % step === 0).reverse();
    fill(this.labels, named, () => element("span"), (node, { label, i }, order) => {
      say(node, label);
      node.classList.toggle("minor", order % 2 === 1);
      node.classList.toggle("edge", step > 1 && order === 0); // its half would be outside
      node.style.setProperty("--at", String((i + 0.5) / points.length));
    });
  }

  tabulate(points, headings, number) {
    fill(this.head, headings, () => {
      const cell = element("th");
      cell.scope = "col";
      return cell;
    }, say);
    fill(this.body, points, () => element("tr"), (row, { label, values }) => {
      fill(row, [label, ...values.map(number)], () => {
        const cell = element(row.children.length ? "td" : "th");
        if (!row.children.length) cell.scope = "row";
        return cell;
      }, say);
    });
  }
}
