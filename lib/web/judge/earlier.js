// One's own last judgements: to take back, or to look at again. Must not send revisions.

import { call } from "../api.js";
import { openDialog } from "./dialog.js";
import { make } from "./element.js";
import { notice } from "./notices.js";
import { ago, wordsOf } from "./words.js";

/** `undone` is told when one was taken back; `revise(judgement)` gets one as it was shown and answered. */
export async function openEarlier({ undone, revise }) {
  try {
    const { last } = await call("GET", "/v1/mine");
    if (last.length === 0)
      notice({ text: "There is nothing to undo: you have judged nothing lately.", fleeting: true });
    else show(last, { undone, revise });
  } catch (error) {
    notice({ text: `Your judgements could not be opened. ${wordsOf(error)}`, fleeting: true });
  }
}

function show(last, { undone, revise }) {
  const now = Date.now();
  const choice = make(
    "select",
    {},
    ...last.map(({ judgement, created }, i) =>
      make("option", {
        value: judgement,
        text: `${i === 0 ? "The last one" : `${i} before it`}, ${ago(now - created)}`,
      }),
    ),
  );
  openDialog({
    title: "Undo",
    body: [make("label", { class: "row" }, "Which judgement?", choice)],
    actions: [
      { label: "Take it back", primary: true, run: () => attempt(() => takeBack(choice.value, undone)) },
      {
        label: "Look again and revise",
        run: () => attempt(async () => revise(await call("GET", pathOf(choice.value)))),
      },
      { label: "Leave it" },
    ],
  });
}

async function takeBack(judgement, undone) {
  await call("POST", `${pathOf(judgement)}/undo`);
  undone();
}

async function attempt(act) {
  try {
    await act();
  } catch (error) {
    const late = error.code === "ATTUNE_LEASE";
    notice({ text: late ? `It cannot be changed any more. ${error.message}` : wordsOf(error), tone: "bad" });
  }
}

function pathOf(judgement) {
  return `/v1/judgements/${encodeURIComponent(judgement)}`;
}
