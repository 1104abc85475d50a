// One item from its arrival until it is judged, passed over or left for a revision. Must not choose what comes next.

import { call } from "../api.js";
import { activeTimeOfPage } from "./active-time.js";
import { announce } from "./announce.js";
import { cover } from "./cover.js";
import { desk } from "./desk.js";
import { drafts } from "./drafts.js";
import { keepLease } from "./lease.js";
import { notice } from "./notices.js";
import { patiently } from "./patience.js";
import { askWhySkipped } from "./skip.js";
import { plural, wordsOf } from "./words.js";

/** Resolves when the item is done with. */
export function judgeItem({ shift, lease }) {
  return new Promise((resolve) => {
    const begun = lease.draft ?? {};
    const sitting = {
      shift,
      lease,
      active: activeTimeOfPage(begun.activeMs ?? 0),
      opened: begun.opened === true,
      values: begun.values ?? [],
      desk: undefined,
      end: undefined,
    };
    shift.keysUsed = begun.keysUsed === true;
    sitting.drafts = drafts({ lease: lease.lease, draft: () => draftOf(sitting) });
    const stopRenewing = keepLease({ lease: lease.lease, over: () => leaseIsOver(sitting) });
    sitting.end = () => {
      stopRenewing();
      sitting.drafts.close();
      sitting.active.stop();
      sitting.desk?.close();
      shift.page = undefined;
      resolve();
    };
    if (lease.unsafe && !sitting.opened) showCover(sitting);
    else showDesk(sitting);
  });
}

function draftOf({ desk: shown, values, active, shift, opened }) {
  return {
    values: shown?.values() ?? values,
    activeMs: active.time.milliseconds,
    keysUsed: shift.keysUsed,
    opened,
  };
}

function showCover(sitting) {
  const { shift } = sitting;
  const open = () => {
    sitting.opened = true;
    sitting.drafts.changed();
    showDesk(sitting);
  };
  const skip = () => askToSkip(sitting);
  const shown = cover({ open, skip });
  shift.page = { questions: [], actions: { Enter: open, s: skip }, interrupt: sitting.end };
  shift.frame.show(shown.element);
  shown.heading.focus();
}

function showDesk(sitting) {
  const { shift, lease } = sitting;
  const submit = () => submitItem(sitting);
  const skip = () => askToSkip(sitting);
  const shown = desk({
    item: lease,
    at: `/v1/leases/${encodeURIComponent(lease.lease)}/answers`,
    values: sitting.values,
    changed: () => sitting.drafts.changed(),
    submit,
    skip,
  });
  sitting.desk = shown;
  shift.page = {
    questions: shown.questions,
    actions: { Enter: submit, s: skip },
    async interrupt() {
      await sitting.drafts.flush();
      sitting.end();
    },
  };
  shift.frame.show(shown.main, shown.bar);
  shown.heading.focus();
  announce(`A new item with ${plural(lease.answers.length, "answer")}.`);
}

async function submitItem(sitting) {
  const { desk: shown, shift, lease, active } = sitting;
  const missing = shown.missing();
  if (shift.busy) return;
  if (missing !== undefined) {
    announce(`Still to do: ${missing}.`);
    return;
  }
  const body = {
    lease: lease.lease,
    values: shown.values(),
    activeMs: active.time.milliseconds,
    keysUsed: shift.keysUsed,
  };
  sitting.drafts.pause();
  setBusy(sitting, true);
  try {
    const { judgement, counts } = await shift.sender.send("/v1/judgements", body);
    shift.judged({ judgement, counts });
    sitting.end();
  } catch (error) {
    refused(sitting, error);
  } finally {
    setBusy(sitting, false);
  }
}

function setBusy({ shift, desk: shown }, busy) {
  shift.busy = busy;
  shown.busy(busy);
}

/** What was filled in stays on the page. */
function refused(sitting, error) {
  const onwards = { label: "Go on to the next item", run: (close) => goOn(sitting, close) };
  const gone = error.status === 409 || error.status === 404;
  notice({ text: wordsOf(error), tone: "bad", actions: gone ? [onwards] : [] });
}

function goOn(sitting, close) {
  close();
  sitting.end();
}

function leaseIsOver(sitting) {
  notice({
    text: "Your time for this item ran out, and somebody else may be given it. You may still submit; it is kept either way.",
    tone: "warn",
    actions: [{ label: "Take another item", run: (close) => goOn(sitting, close) }],
  });
}

function askToSkip(sitting) {
  const { shift, lease } = sitting;
  if (shift.busy) return;
  askWhySkipped(async (reason, note) => {
    shift.busy = true;
    try {
      await patiently(
        (signal) => call("POST", "/v1/skips", { body: { lease: lease.lease, reason, note }, signal }),
        {
          kept: "The item is still here.",
          signInAgain: shift.signInAgain,
        },
      );
      notice({ text: "Skipped. Somebody else is asked.", tone: "good", fleeting: true });
      sitting.end();
    } catch (error) {
      // It may have arrived before the answer was lost; in any case it is not this person's any more.
      if (error.status === 409 || error.status === 404) sitting.end();
      else notice({ text: wordsOf(error), tone: "bad" });
    } finally {
      shift.busy = false;
    }
  });
}
