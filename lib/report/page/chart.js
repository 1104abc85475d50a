// Draws one panel with uPlot and keeps the values under it current. Must not know where the data came from.

import { alarmsOf, chartTables, hasPoints, lineOfCurve, nearestLine } from "./chart-data.js";
import { formatNumber, formatValue } from "./format-value.js";

const height = 210;
/** Pixels from an alarm within which the pointer reads it. */
const reach = 9;
/** Runs are told apart by colour and by dashes. */
const dashes = [[], [8, 4], [2, 4], [12, 4, 2, 4]];

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const runColour = (run) => colour(`--run-${(run % 8) + 1}`);

/** How a column is drawn. */
function seriesOf({ run, kind }, runs) {
  const stroke = () => runColour(run);
  const dash = runs > 1 ? dashes[(run + Math.floor(run / 8)) % dashes.length] : [];
  const hidden = { show: false };
  if (kind === "low" || kind === "high")
    return { stroke: "transparent", width: 0, points: hidden, run, kind };
  if (kind === "raw") return { stroke, width: 1, alpha: 0.28, points: hidden, run, kind };
  if (kind === "eval") {
    const points = { show: true, size: 8, stroke, fill: stroke, width: 1 };
    return { stroke, width: 1, alpha: 0.95, points, run, kind };
  }
  return { stroke, width: 2, dash, points: { show: isSinglePoint }, run, kind };
}

/** A line needs two points; dots are for evaluations. */
function isSinglePoint(plot, series) {
  return plot.data[series].filter((value) => value !== null && value !== undefined).length < 2;
}

/** uPlot's own range, but for a curve that is 0 throughout, for which it would go up to 100. */
function rangeOf(_, least, most) {
  if (least === null) return [null, null];
  return least === 0 && most === 0 ? [0, 1] : uPlot.rangeNum(least, most, 0.1, true);
}

function bandsOf(columns) {
  return columns.flatMap(({ kind, run }, i) =>
    kind === "high" ? [{ series: [i + 1, i], fill: () => `${runColour(run)}33` }] : [],
  );
}

function axes(unit) {
  const line = { stroke: () => colour("--grid"), width: 1 };
  const axis = {
    stroke: () => colour("--quiet"),
    grid: line,
    ticks: { ...line, size: 4 },
    font: "12px system-ui",
  };
  const short = (value) =>
    value === null
      ? ""
      : Math.abs(value) >= 1e6
        ? `${Number((value / 1e6).toPrecision(4))}M`
        : formatNumber(value);
  return [
    { ...axis, space: 70, size: 36, values: (_, splits) => splits.map(short) },
    {
      ...axis,
      size: 66,
      space: 36,
      values: (_, splits) => splits.map((v) => (v === null ? "" : formatValue(v, unit))),
    },
  ];
}

/** The mark of an alarm around a point of a curve: a hollow triangle, as no other point is. */
function drawTriangle(context, x, y, colours) {
  const size = devicePixelRatio;
  context.beginPath();
  context.moveTo(x, y - 7 * size);
  context.lineTo(x + 6.5 * size, y + 4 * size);
  context.lineTo(x - 6.5 * size, y + 4 * size);
  context.closePath();
  context.fillStyle = colours.fill;
  context.fill();
  context.strokeStyle = colours.stroke;
  context.lineWidth = 2 * size;
  context.setLineDash([]);
  context.stroke();
}

/** Shows what an alarm says over its chart; empty and hidden until then. */
function alarmNote(element) {
  const note = document.createElement("div");
  note.className = "alarm-note";
  note.hidden = true;
  element.append(note);
  return note;
}

/** A chart in `element`; `readout` shows the values at the cursor, or the last ones. */
export class Chart {
  #plot;
  #element;
  #readout;
  #note;
  #panel;
  #runs;
  #alarms;
  /** Of the runs that are shown, by their place. */
  #marks = [];
  #columns = [];
  /** Whether the pointer or the focus is here: all panels follow one cursor, one tells of alarms. */
  #active = false;

  constructor({ element, readout, panel, runs, alarms }) {
    this.#element = element;
    this.#readout = readout;
    this.#note = alarmNote(element);
    this.#panel = panel;
    this.#runs = runs;
    this.#alarms = alarms;
    new ResizeObserver(() => this.#resize()).observe(element);
    element.addEventListener("keydown", (event) => this.#key(event));
    // All panels follow one cursor; only the one with the focus is read aloud.
    const read = (live) => {
      readout.setAttribute("aria-live", live);
      this.#note.setAttribute("aria-live", live);
    };
    element.addEventListener("focus", () => read("polite"));
    element.addEventListener("blur", () => read("off"));
    for (const [name, active] of Object.entries({
      focus: true,
      pointerenter: true,
      blur: false,
      pointerleave: false,
    }))
      element.addEventListener(name, () => {
        this.#active = active;
        this.#tell();
      });
  }

  draw(view) {
    this.#plot?.destroy();
    this.#plot = undefined;
    const { tables, columns } = chartTables(this.#panel, view, this.#alarms);
    this.#marks = alarmsOf(this.#panel, view, this.#alarms);
    const empty = !hasPoints(tables);
    this.#element.classList.toggle("empty", empty);
    this.#columns = columns;
    if (empty) {
      this.#element.dataset.why = view.logarithmic
        ? "No value above 0: a logarithmic scale cannot show any."
        : "No value to show.";
      this.#show(undefined);
      return;
    }
    const data = uPlot.join(tables);
    this.#plot = new uPlot(this.#options(view, columns), data, this.#element);
    this.#show(undefined);
  }

  redraw() {
    this.#plot?.redraw(false);
  }

  #options({ axis, logarithmic }, columns) {
    return {
      width: this.#element.clientWidth,
      height,
      legend: { show: false },
      scales: { x: { time: false }, y: logarithmic ? { distr: 3 } : { range: rangeOf } },
      axes: axes(this.#panel.unit),
      series: [{ label: axis }, ...columns.map((column) => seriesOf(column, this.#runs))],
      bands: bandsOf(columns),
      cursor: {
        sync: { key: "curves", setSeries: false },
        y: false,
        dataIdx: (plot, series, index) => {
          const lineAt = series === 0 || columns[series - 1].kind === "eval" ? nearestLine : lineOfCurve;
          return lineAt(plot.data[0], plot.data[series], index);
        },
        points: { size: 8 },
      },
      hooks: {
        draw: [(plot) => this.#drawMarks(plot)],
        setCursor: [
          (plot) => {
            this.#show(plot.cursor.left < 0 ? undefined : plot.cursor.idxs);
            this.#tell();
          },
        ],
        ready: [(plot) => plot.over.setAttribute("aria-hidden", "true")],
      },
    };
  }

  /** On the run's line of training, else on its evaluations; where it has no value at all, at the bottom. */
  #drawMarks(plot) {
    const { min, max } = plot.scales.x;
    for (const { run, x } of this.#marks) {
      if (x < min || x > max) continue;
      const value = ["train", "eval"]
        .map((kind) => this.#columns.findIndex((column) => column.run === run && column.kind === kind))
        .filter((column) => column >= 0)
        .map((column) => this.#valueNear(plot, column + 1, x))
        .find((found) => found !== undefined);
      const { top, height: room } = plot.bbox;
      const y = value === undefined ? top + room : plot.valToPos(value, "y", true);
      const inside = Math.min(Math.max(y, top), top + room);
      const colours = { fill: colour("--raised"), stroke: runColour(run) };
      drawTriangle(plot.ctx, plot.valToPos(x, "x", true), inside, colours);
    }
  }

  #valueNear(plot, column, x) {
    const [xs] = plot.data;
    const line = nearestLine(xs, plot.data[column], xs.indexOf(x));
    return line === null ? undefined : plot.data[column][line];
  }

  /** Tells of the alarms at the cursor. */
  #tell() {
    const plot = this.#plot;
    const left = plot?.cursor.left ?? -1;
    const near =
      this.#active && left >= 0
        ? this.#marks.filter(({ x }) => Math.abs(plot.valToPos(x, "x") - left) <= reach)
        : [];
    const texts = near.flatMap(({ texts: said }) => said);
    this.#note.hidden = texts.length === 0;
    const text = texts.join("\n");
    if (this.#note.textContent !== text) this.#note.textContent = text;
  }

  #resize() {
    if (this.#plot === undefined || this.#element.clientWidth === 0) return;
    if (this.#plot.width !== this.#element.clientWidth)
      this.#plot.setSize({ width: this.#element.clientWidth, height });
  }

  /** Arrow keys move the cursor from line to line. */
  #key(event) {
    const plot = this.#plot;
    const move = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10 }[event.key];
    if (plot === undefined || (move === undefined && !["Home", "End", "Escape"].includes(event.key))) return;
    event.preventDefault();
    const [xs] = plot.data;
    const last = xs.length - 1;
    const at = plot.cursor.idx ?? last;
    if (event.key === "Escape") return plot.setCursor({ left: -10, top: -10 });
    const index =
      event.key === "Home" ? 0 : event.key === "End" ? last : Math.min(last, Math.max(0, at + move));
    plot.setCursor({ left: plot.valToPos(xs[index], "x"), top: 10 });
  }

  /** [columns] lines under the cursor, the axis first; undefined shows the last values. */
  #show(lines) {
    const plot = this.#plot;
    const xs = plot?.data[0] ?? [];
    const x = lines?.[0] === null || lines === undefined ? undefined : xs[lines[0]];
    const where = this.#readout.querySelector("[data-where]");
    const axis = plot?.series[0].label === "tokens" ? "tokens" : "step";
    where.textContent = x === undefined ? "last values" : `${axis} ${Math.round(x).toLocaleString("en-US")}`;
    for (const cell of this.#readout.querySelectorAll("[data-value]")) cell.textContent = "";
    for (const [i, { run, kind }] of this.#columns.entries()) {
      const cell = this.#readout.querySelector(`[data-run="${run}"] [data-value="${kind}"]`);
      if (cell === null || plot === undefined) continue;
      const column = plot.data[i + 1];
      const line = x === undefined ? nearestLine(xs, column, xs.length - 1) : lines[i + 1];
      cell.textContent = line === null ? "" : this.#text(column[line], line, i);
    }
  }

  /** The value, and the range of a bucket where a point stands for many lines. */
  #text(value, line, column) {
    const { unit } = this.#panel;
    // A number and its unit stay in one line; a range may follow in the next.
    const shown = (number) => formatValue(number, unit).replaceAll(" ", "\u00a0");
    const text = shown(value);
    const [low, high] = [this.#columns[column - 2]?.kind, this.#columns[column - 1]?.kind];
    if (this.#columns[column].kind !== "train" || low !== "low" || high !== "high") return text;
    const ends = [column - 1, column].map((i) => shown(this.#plot.data[i][line]));
    return `${text} (${ends.join(" … ")})`;
  }
}
