// A number for each answer on each axis. Must not know other questions.

import { announce } from "./announce.js";
import { cellOrder } from "./cells.js";
import { make } from "./element.js";
import { radioRow } from "./radio-row.js";
import { answerName, capital } from "./words.js";

/** A longer scale is written as a number. */
const MOST_STEPS = 11;

export function ratingQuestion({ asks, count, changed }) {
  const cells = Array.from({ length: count }, (_, answer) =>
    asks.map((ask) => ratingCell({ ask, answer, count, set })),
  ).flat();
  const order = cellOrder({
    elements: cells.map(({ element }) => element),
    filled: (i) => cells[i].value !== undefined,
  });
  const empty = () => cells.filter(({ value }) => value === undefined);

  /** `on`: to the next that is empty. */
  function set(cell, value, { on = true } = {}) {
    order.go(cells.indexOf(cell));
    cell.show(value);
    if (value !== undefined) announce(`${cell.name}: ${value}`);
    if (on) order.advance();
    changed();
  }
  return {
    kind: "rating",
    takesDigits: true,
    under: (answer) =>
      make(
        "div",
        { class: "ratings" },
        ...cells.filter((cell) => cell.answer === answer).map(({ element }) => element),
      ),
    keys: [
      ["1 – 9", "rate what is marked; the mark goes on by itself"],
      ["↑ ↓", "move the mark, where no pair is asked"],
    ],
    missing() {
      const [first, ...rest] = empty();
      if (first === undefined) return undefined;
      return rest.length === 0
        ? `rate ${first.name}`
        : `rate ${cells.length === rest.length + 1 ? "the answers" : `${rest.length + 1} more`}`;
    },
    values: () =>
      cells
        .filter(({ value }) => value !== undefined)
        .map(({ answer, axis, value }) => ({ kind: "rating", answer, axis, value })),
    restore(values) {
      for (const cell of cells) {
        const own = values.find(
          (one) => one.kind === "rating" && one.answer === cell.answer && one.axis === cell.axis,
        );
        cell.show(own?.value);
      }
      order.go(0);
      order.advance();
    },
    press({ key, shift, inside }) {
      const here = cells.find(({ element }) => inside?.(element)) ?? cells[order.current];
      if (shift) return false;
      if (/^\d$/.test(key)) return here.digit(Number(key));
      if (key === "ArrowUp" || key === "ArrowDown") {
        order.go(order.current + (key === "ArrowUp" ? -1 : 1));
        announce(cells[order.current].name);
      } else if (key === "ArrowLeft" || key === "ArrowRight") here.step(key === "ArrowLeft" ? -1 : 1);
      else return false;
      return true;
    },
  };
}

/** One answer on one axis. */
function ratingCell({ ask, answer, count, set }) {
  const steps = Math.round((ask.high - ask.low) / ask.step) + 1;
  const parts = { ask, answer, name: `${answerName(answer, count)} on ${ask.axis}`, set };
  return steps > MOST_STEPS ? numberCell(parts) : scaleCell(parts, steps);
}

function scaleCell({ ask, answer, name, set }, steps) {
  const values = Array.from({ length: steps }, (_, i) => Number((ask.low + i * ask.step).toPrecision(12)));
  // A key means the number that stands on it, where the scale has it; else the place on the scale.
  const literal = values.every((value) => Number.isInteger(value) && value >= 0);
  const row = radioRow({
    label: `${capital(name)}, ${ask.low} to ${ask.high}`,
    options: values.map((value, i) => ({
      value,
      label: String(value),
      key: literal || i > 8 ? undefined : String(i + 1),
    })),
    pick: (value) => set(cell, value),
  });
  const cell = {
    answer,
    axis: ask.axis,
    name,
    value: undefined,
    element: make("div", { class: "rating" }, make("span", { class: "axis", text: ask.axis }), row.element),
    show(value) {
      cell.value = value;
      row.show(value);
    },
    digit(digit) {
      const value = literal ? values.find((one) => one === digit) : values[digit - 1];
      if (value !== undefined) set(cell, value);
      return value !== undefined;
    },
    step(by) {
      const at = values.indexOf(cell.value);
      const to =
        at < 0 ? (by > 0 ? 0 : values.length - 1) : Math.max(0, Math.min(values.length - 1, at + by));
      set(cell, values[to], { on: false });
    },
  };
  return cell;
}

function numberCell({ ask, answer, name, set }) {
  const input = make("input", {
    type: "number",
    inputmode: "decimal",
    min: ask.low,
    max: ask.high,
    step: ask.step,
    "aria-label": `${capital(name)}, ${ask.low} to ${ask.high}`,
    on: {
      input: () => set(cell, isOnScale(ask, input) ? input.valueAsNumber : undefined, { on: false }),
      keydown: (event) => {
        if (event.key !== "Enter") return;
        // Enter is done with this field, not with the item.
        event.preventDefault();
        event.stopPropagation();
        input.blur();
        set(cell, cell.value);
      },
    },
  });
  const cell = {
    answer,
    axis: ask.axis,
    name,
    value: undefined,
    element: make(
      "label",
      { class: "rating" },
      make("span", { class: "axis", text: ask.axis }),
      make(
        "span",
        { class: "number" },
        input,
        make("span", { class: "range", text: `${ask.low} to ${ask.high}` }),
      ),
    ),
    show(value) {
      cell.value = value;
      if (document.activeElement !== input) input.value = value === undefined ? "" : String(value);
    },
    /** It is the first digit of what is written. */
    digit(digit) {
      input.focus();
      input.value = String(digit);
      input.dispatchEvent(new Event("input"));
      return true;
    },
    step: () => input.focus(),
  };
  return cell;
}

function isOnScale({ low, high, step }, input) {
  const value = input.valueAsNumber;
  const steps = (value - low) / step;
  return value >= low && value <= high && Math.abs(steps - Math.round(steps)) < 1e-9;
}
