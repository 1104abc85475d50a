// Which of two answers is better, or neither, and by how much. Must not know other questions.

import { announce } from "./announce.js";
import { make, toggle } from "./element.js";
import { radioRow } from "./radio-row.js";

const choices = [
  { value: "left", label: "Answer one is better", key: "←", class: "side" },
  { value: "tie", label: "Tie", name: "Tie, both the same", key: "↑" },
  { value: "both_good", label: "Both good", key: "Shift ↑" },
  { value: "both_bad", label: "Both bad", key: "↓" },
  { value: "right", label: "Answer two is better", key: "→", class: "side" },
];
/** Clips may show different things. */
const other = { value: "cannot_compare", label: "Cannot compare", key: "n", class: "quiet" };
const arrows = { ArrowLeft: "left", ArrowRight: "right", ArrowUp: "tie", ArrowDown: "both_bad" };

const strengths = [
  { value: 0, label: "Hardly", key: "q" },
  { value: 1, label: "Slightly", key: "w" },
  { value: 2, label: "Clearly", key: "e" },
  { value: 3, label: "Far better", key: "r" },
];

export function pairQuestion({ ask, clips, changed }) {
  const options = clips ? [...choices, other] : choices;
  let choice;
  let strength;
  const row = radioRow({
    label: "Which answer is better?",
    options,
    pick,
    class: "pair",
  });
  const degree = radioRow({
    label: "How much better?",
    options: strengths,
    pick: pickStrength,
    class: "strength",
  });
  const degreeRow = make(
    "div",
    { class: "strength-row" },
    make("span", { text: "How much better?" }),
    degree.element,
  );
  show();

  function pick(value) {
    choice = value;
    show();
    announce(options.find((one) => one.value === value).label);
    changed();
  }
  function pickStrength(value) {
    strength = value;
    show();
    announce(strengths[value].label);
    changed();
  }
  function show() {
    row.show(choice);
    degree.show(strength);
    toggle(degreeRow, "data-needless", !isSided(choice) && choice !== undefined);
  }
  return {
    kind: "pair",
    bar: ask.strength ? [row.element, degreeRow] : [row.element],
    keys: [
      ["← →", "answer one or answer two is better"],
      ["↑ ↓", "tie, both bad"],
      ["Shift ↑", "both good"],
      ...(clips ? [["n", "the clips cannot be compared"]] : []),
      ...(ask.strength ? [["q w e r", "how much better, from hardly to far"]] : []),
    ],
    favoured: () => ({ left: 0, right: 1 })[choice],
    missing: () => (choice === undefined ? "say which answer is better" : undefined),
    values() {
      // Nothing is better by some amount in a tie.
      const degreeOf =
        strength === undefined || !(isSided(choice) || choice === undefined) ? {} : { strength };
      return choice === undefined && strength === undefined ? [] : [{ kind: "pair", choice, ...degreeOf }];
    },
    restore(values) {
      const value = values.find(({ kind }) => kind === "pair");
      ({ choice, strength } = value ?? {});
      show();
    },
    press({ key, shift }) {
      if (key === "ArrowUp" && shift) pick("both_good");
      else if (key in arrows && !shift) pick(arrows[key]);
      else if (clips && key === "n" && !shift) pick("cannot_compare");
      else if (ask.strength && !shift && "qwer".includes(key)) pickStrength("qwer".indexOf(key));
      else return false;
      return true;
    },
  };
}

function isSided(choice) {
  return choice === "left" || choice === "right";
}
