// A person's shift in one project: item after item, until the page is closed. Must not know questions.

import { call } from "../api.js";
import { announce } from "./announce.js";
import { openEarlier } from "./earlier.js";
import { emptyQueue } from "./empty.js";
import { guidelines } from "./guidelines.js";
import { openHelp } from "./help.js";
import { judgeItem } from "./judge-item.js";
import { listenToKeys } from "./keys.js";
import { notice } from "./notices.js";
import { patiently } from "./patience.js";
import { reviseItem } from "./revise-item.js";
import { sender } from "./sending.js";
import { wordsOf } from "./words.js";

/**
 * A shift: `page` is what is on the page (`questions`, `actions` by key, `interrupt()`), `busy` while something is on its way.
 * `open` makes the frame of the page's own actions.
 */
export function newShift({ who, open, signInAgain }) {
  const shift = {
    page: undefined,
    busy: false,
    keysUsed: false,
    revising: undefined,
    counts: { today: 0, judgements: 0 },
    guidelines: guidelines({ who }),
    sender: sender({ who, signInAgain }),
    signInAgain,
    count(by) {
      shift.counts = { today: shift.counts.today + by, judgements: shift.counts.judgements + by };
      shift.frame.progress(shift.counts);
    },
    judged({ counts }) {
      shift.count(1);
      const late = "Saved. Somebody else had been given this item meanwhile: yours is kept beside theirs.";
      notice({ text: counts ? "Saved." : late, tone: counts ? "good" : "warn", fleeting: true });
    },
  };
  const actions = {
    guidelines: () => shift.guidelines.open(),
    help: () => openHelp((shift.page?.questions ?? []).flatMap(({ keys }) => keys)),
    undo: () => openUndo(shift),
  };
  shift.frame = open(actions);
  const always = { g: actions.guidelines, u: actions.undo, "?": actions.help };
  listenToKeys({
    page: () => ({
      questions: shift.busy ? [] : (shift.page?.questions ?? []),
      actions: { ...always, ...shift.page?.actions },
    }),
    used: () => {
      shift.keysUsed = true;
    },
  });
  return shift;
}

function openUndo(shift) {
  if (shift.busy) return undefined;
  return openEarlier({
    undone() {
      shift.count(-1);
      notice({
        text: "Taken back. The item is open again, and may come to you again.",
        tone: "good",
        fleeting: true,
      });
      shift.lookNow?.();
    },
    revise(judgement) {
      shift.revising = judgement;
      shift.page?.interrupt();
    },
  });
}

/** Ends only where the service refuses this person for good: then the reason is thrown. */
export async function work(shift) {
  await deliverLeft(shift);
  const patience = { kept: "Nothing is lost.", signInAgain: shift.signInAgain };
  const counts = await patiently((signal) => call("GET", "/v1/mine", { signal }), patience);
  shift.counts = counts;
  shift.frame.progress(counts);
  for (;;) {
    if (shift.revising !== undefined) {
      const judgement = shift.revising;
      shift.revising = undefined;
      await leaveEmpty(shift, () => reviseItem({ shift, judgement }));
      continue;
    }
    const lease = await patiently((signal) => call("GET", "/v1/next", { signal }), patience);
    if (lease === null) await emptyQueue({ frame: shift.frame, shift });
    else await leaveEmpty(shift, () => judgeOpened(shift, lease));
  }
}

async function leaveEmpty(shift, next) {
  shift.emptyShown = false;
  shift.lookNow = undefined;
  await next();
}

async function judgeOpened(shift, lease) {
  const judging = judgeItem({ shift, lease });
  await shift.guidelines.atVersion(lease.guidelines);
  await judging;
}

/** What an earlier page had on its way when it was closed. */
async function deliverLeft(shift) {
  const deliver = shift.sender.left();
  if (deliver === undefined) return;
  try {
    await deliver();
    notice({
      text: "Your last judgement was on its way when the page was closed. It has arrived.",
      tone: "good",
      fleeting: true,
    });
    announce("Your last judgement has arrived.");
  } catch (error) {
    notice({
      text: `Your last judgement was on its way when the page was closed. ${wordsOf(error)}`,
      tone: "bad",
    });
  }
}
