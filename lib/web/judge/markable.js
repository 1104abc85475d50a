// A text in which stretches can be chosen, with a mouse or with a caret and Shift: as it came, nothing rendered, so that places
// are exact. It cannot be changed. Must not know tags.

import { make } from "./element.js";
import { hiddenMark, piecesOf } from "./invisible.js";

/** `range()` is what is chosen, in UTF-16 units; undefined outside or where nothing is. */
export function markableText({ text, label }) {
  const pieces = piecesOf(text).map(({ text: piece, start, name }) => ({
    start,
    end: start + piece.length,
    node: name === undefined ? document.createTextNode(piece) : lockedMark(name),
  }));
  const nodes = pieces.map(({ node }) => node);
  // A caret is shown, and moved by keys, where a text can be changed; what would change it is refused.
  const element = make(
    "div",
    {
      class: "markable",
      contenteditable: "true",
      role: "textbox",
      "aria-readonly": "true",
      "aria-multiline": "true",
      "aria-label": label,
      spellcheck: "false",
      inputmode: "none",
      dir: "auto",
      on: {
        beforeinput: (event) => event.preventDefault(),
        // Input methods compose without asking.
        compositionend: () => element.replaceChildren(...nodes),
        drop: (event) => event.preventDefault(),
      },
    },
    ...nodes,
  );
  return {
    element,
    range() {
      const selection = getSelection();
      if (selection === null || selection.rangeCount === 0) return undefined;
      const chosen = selection.getRangeAt(0);
      if (!element.contains(chosen.startContainer) || !element.contains(chosen.endContainer))
        return undefined;
      const start = unitsAt(pieces, chosen.startContainer, chosen.startOffset);
      const end = unitsAt(pieces, chosen.endContainer, chosen.endOffset);
      return start < end ? { start, end } : undefined;
    },
    /** Of a stretch in UTF-16 units, to be highlighted. */
    rangeOf({ start, end }) {
      const range = document.createRange();
      const first = pieces.find((piece) => start < piece.end);
      const last = pieces.findLast((piece) => end > piece.start);
      if (first === undefined || last === undefined) return range;
      setEdge(range, "Start", first, start);
      setEdge(range, "End", last, end);
      return range;
    },
  };
}

function lockedMark(name) {
  const mark = hiddenMark(name);
  mark.setAttribute("contenteditable", "false");
  return mark;
}

function setEdge(range, edge, { node, start }, place) {
  if (node.nodeType === Node.TEXT_NODE) range[`set${edge}`](node, place - start);
  else range[edge === "Start" ? "setStartBefore" : "setEndAfter"](node);
}

/** Units of the text before a place in the nodes. */
function unitsAt(pieces, container, offset) {
  const own = pieces.find(({ node }) => node === container);
  if (own !== undefined && own.node.nodeType === Node.TEXT_NODE) return own.start + offset;
  const place = document.createRange();
  place.setStart(container, offset);
  place.collapse(true);
  const next = pieces.find(({ node }) => {
    const whole = document.createRange();
    whole.selectNode(node);
    return place.compareBoundaryPoints(Range.START_TO_START, whole) <= 0;
  });
  return next?.start ?? pieces.at(-1)?.end ?? 0;
}
