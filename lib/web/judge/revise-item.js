// One of one's own judgements looked at again: what was said is filled in, and may be said otherwise. Must not know leases.

import { activeTimeOfPage } from "./active-time.js";
import { announce } from "./announce.js";
import { desk } from "./desk.js";
import { notice } from "./notices.js";
import { wordsOf } from "./words.js";

/** Resolves when it is revised or left as it was. */
export function reviseItem({ shift, judgement }) {
  return new Promise((resolve) => {
    const active = activeTimeOfPage(0);
    shift.keysUsed = false;
    const leave = () => {
      if (!shift.busy) end();
    };
    const shown = desk({
      item: judgement,
      at: `/v1/judgements/${encodeURIComponent(judgement.judgement)}/answers`,
      values: judgement.values,
      label: "Save the revision",
      submit,
      leave,
    });
    const end = () => {
      active.stop();
      shown.close();
      shift.page = undefined;
      resolve();
    };
    shift.page = { questions: shown.questions, actions: { Enter: submit, Escape: leave }, interrupt: leave };
    shift.frame.show(shown.main, shown.bar);
    shown.heading.focus();
    const hint = notice({
      text: "You look at an earlier judgement of yours. What you said is filled in.",
      fleeting: true,
    });
    announce("An earlier judgement of yours. What you said is filled in.");

    async function submit() {
      const missing = shown.missing();
      if (shift.busy) return;
      if (missing !== undefined) {
        announce(`Still to do: ${missing}.`);
        return;
      }
      hint.close();
      shift.busy = true;
      shown.busy(true);
      try {
        const body = { values: shown.values(), activeMs: active.time.milliseconds, keysUsed: shift.keysUsed };
        await shift.sender.send(`/v1/judgements/${encodeURIComponent(judgement.judgement)}/revise`, body);
        notice({ text: "Revised.", tone: "good", fleeting: true });
        end();
      } catch (error) {
        notice({ text: wordsOf(error), tone: "bad" });
      } finally {
        shift.busy = false;
        shown.busy(false);
      }
    }
  });
}
