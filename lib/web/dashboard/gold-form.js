// Says what is right of an item: a field for each thing that the item asks. Must not show the item.

import { call } from "../api.js";
import { element, field, select, statusLine } from "./dom.js";
import { letterOf } from "./format.js";

/** `changed(gold)`: it is known now, or not any more. */
export function goldForm({ item, changed }) {
  const said = statusLine();
  const parts = item.asks.map((ask) => partFor(ask, item));
  const missing = item.asks.find(({ required }) => required === true);
  if (missing !== undefined)
    return element(
      "p",
      { class: "hint" },
      `It asks for a text (${missing.kind}), which is never right or wrong: it cannot be gold.`,
    );
  if (!item.asks.some(({ kind }) => ["pair", "ranking", "thumb"].includes(kind)))
    return element(
      "p",
      { class: "hint" },
      "Only choices, orders and thumbs can be right or wrong: it cannot be gold.",
    );

  async function set(right) {
    try {
      await call("POST", `/v1/items/${encodeURIComponent(item.item)}/gold`, { body: { right } });
      changed(right ?? undefined);
    } catch (error) {
      said.say(error.message, true);
    }
  }
  const submit = (event) => {
    event.preventDefault();
    const values = parts.flatMap((part) => part.values());
    if (values.includes(undefined)) return said.say("Fill in every field first.", true);
    set(values);
  };
  return element(
    "form",
    { class: "gold", novalidate: true, on: { submit } },
    element(
      "p",
      { class: "hint" },
      "Gold is shown now and then like any other item, to see how careful people are. Choose only what is near certain.",
    ),
    element(
      "div",
      { class: "fields" },
      parts.map(({ place }) => place),
    ),
    element(
      "div",
      { class: "buttons" },
      element(
        "button",
        { type: "submit" },
        item.gold === undefined ? "Make it gold" : "Change what is right",
      ),
      item.gold !== undefined &&
        element("button", { type: "button", on: { click: () => set(null) } }, "No gold any more"),
    ),
    said.line,
  );
}

const none = ["", "choose…"];

/** `values()` holds undefined where something was left out. */
function partFor(ask, { answers }) {
  const all = answers.map((_, place) => place);
  switch (ask.kind) {
    case "pair": {
      const options = [
        ["left", "A is better"],
        ["right", "B is better"],
        ["tie", "equal"],
        ["both_good", "both good"],
        ["both_bad", "both bad"],
      ];
      const control = select({}, [none, ...options], "");
      return {
        place: field({ label: "Right is", control }),
        values: () => [control.value === "" ? undefined : { kind: "pair", choice: control.value }],
      };
    }
    case "ranking":
      return rankingPart(all);
    case "rating":
      return eachAnswer(all, ask.axis, (place) => {
        const control = element("input", { type: "number", min: ask.low, max: ask.high, step: ask.step });
        return {
          control,
          value: () =>
            control.value === ""
              ? undefined
              : { kind: "rating", answer: place, axis: ask.axis, value: Number(control.value) },
        };
      });
    case "thumb":
      return eachAnswer(all, "Thumb", (place) => {
        const control = select({}, [none, ["up", "up"], ["down", "down"]], "");
        return {
          control,
          value: () =>
            control.value === "" ? undefined : { kind: "thumb", answer: place, up: control.value === "up" },
        };
      });
    default:
      return { place: null, values: () => [] };
  }
}

function eachAnswer(all, label, make) {
  const made = all.map((place) => ({ place, ...make(place) }));
  return {
    place: made.map(({ place, control }) => field({ label: `${label} of ${letterOf(place)}`, control })),
    values: () => made.map(({ value }) => value()),
  };
}

/** Places from 1; those of the same place are equal. */
function rankingPart(all) {
  const places = all.map((place) => [String(place + 1), `place ${place + 1}`]);
  const controls = all.map(() => select({}, [none, ...places], ""));
  return {
    place: controls.map((control, place) => field({ label: letterOf(place), control })),
    values() {
      if (controls.some(({ value }) => value === "")) return [undefined];
      const tiers = places
        .map(([rank]) => all.filter((place) => controls[place].value === rank))
        .filter((tier) => tier.length > 0);
      return [{ kind: "ranking", tiers }];
    },
  };
}
