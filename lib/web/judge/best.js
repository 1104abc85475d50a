// The one best of some answers. Must not know other questions.

import { announce } from "./announce.js";
import { radioRow } from "./radio-row.js";
import { answerName, capital } from "./words.js";

export function bestQuestion({ count, changed }) {
  let best;
  const row = radioRow({
    label: "Which answer is best?",
    options: Array.from({ length: count }, (_, value) => ({
      value,
      label: capital(answerName(value, count)),
      key: value < 9 ? String(value + 1) : undefined,
    })),
    pick,
    class: "best",
  });
  function pick(answer) {
    best = answer;
    row.show(best);
    announce(`${capital(answerName(answer, count))} is best`);
    changed();
  }
  return {
    kind: "ranking",
    takesDigits: true,
    bar: [row.element],
    keys: [["1 – 9", "choose the best answer"]],
    favoured: () => best,
    missing: () => (best === undefined ? "choose the best answer" : undefined),
    values: () => (best === undefined ? [] : [{ kind: "ranking", tiers: [[best]] }]),
    restore(values) {
      best = values.find(({ kind }) => kind === "ranking")?.tiers[0]?.[0];
      row.show(best);
    },
    press({ key, shift }) {
      const answer = shift || !/^[1-9]$/.test(key) ? count : Number(key) - 1;
      if (answer >= count) return false;
      pick(answer);
      return true;
    },
  };
}
