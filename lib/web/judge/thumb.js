// Good or not, for each answer. Must not know other questions.

import { announce } from "./announce.js";
import { cellOrder } from "./cells.js";
import { make } from "./element.js";
import { radioRow } from "./radio-row.js";
import { answerName, capital } from "./words.js";

export function thumbQuestion({ count, changed }) {
  const given = new Array(count).fill(undefined);
  const rows = given.map((_, answer) =>
    radioRow({
      label: `${capital(answerName(answer, count))}, good or not`,
      options: [
        { value: true, label: "Good", key: "+" },
        { value: false, label: "Not good", key: "−" },
      ],
      pick: (up) => set(answer, up),
      class: "thumb",
    }),
  );
  const order = cellOrder({
    elements: rows.map(({ element }) => element),
    filled: (i) => given[i] !== undefined,
  });

  function set(answer, up) {
    order.go(answer);
    given[answer] = up;
    rows[answer].show(up);
    announce(`${capital(answerName(answer, count))}: ${up ? "good" : "not good"}`);
    order.advance();
    changed();
  }
  return {
    kind: "thumb",
    under: (answer) => make("div", { class: "thumbs" }, rows[answer].element),
    keys: [["+ −", "good or not, of the answer that is marked"]],
    missing() {
      const left = given.filter((up) => up === undefined).length;
      if (left === 0) return undefined;
      return count === 1
        ? "say whether it is good"
        : `say of ${left === count ? "each answer" : `${left} more`} whether it is good`;
    },
    values: () => given.flatMap((up, answer) => (up === undefined ? [] : [{ kind: "thumb", answer, up }])),
    restore(values) {
      for (const [answer, row] of rows.entries()) {
        given[answer] = values.find((one) => one.kind === "thumb" && one.answer === answer)?.up;
        row.show(given[answer]);
      }
      order.go(0);
      order.advance();
    },
    press({ key, inside }) {
      const here = rows.findIndex(({ element }) => inside?.(element));
      const answer = here < 0 ? order.current : here;
      // Plus and its key without Shift.
      if (key === "+" || key === "=") set(answer, true);
      else if (key === "-") set(answer, false);
      else if (key === "ArrowUp" || key === "ArrowDown")
        order.go(order.current + (key === "ArrowUp" ? -1 : 1));
      else return false;
      return true;
    },
  };
}
