// Shows how far work of several phases has come, on standard error: a live line on a terminal, a line now and then
// elsewhere. Must not know what the work is.

import { grouped } from "./format.js";
import type { Output } from "./terminal.js";

export interface PhaseProgress {
  /** `done` of `total` items of a phase ("scores", "answers"). */
  show(phase: string, done: number, total: number): void;
  /** Leaves the live line. */
  end(): void;
}

/** Milliseconds between two lines. */
const liveEvery = 200;
const plainEvery = 10_000;

export function createPhaseProgress(
  output: Output,
  now: () => number = () => performance.now(),
): PhaseProgress {
  const live = output.isTTY === true;
  let [phase, lineOpen, last] = ["", false, 0];
  return {
    show(name, done, total) {
      const time = now();
      const isNew = name !== phase;
      if (isNew && lineOpen) output.write("\n");
      // Elsewhere than on a terminal a phase that is over soon gets one line.
      if (isNew) last = live ? Number.NEGATIVE_INFINITY : time;
      phase = name;
      lineOpen = live;
      if (done < total && time - last < (live ? liveEvery : plainEvery)) return;
      last = time;
      const text = `${name}: ${grouped(done)} of ${grouped(total)}`;
      output.write(live ? `\r\x1b[K${text}` : `${text}\n`);
    },
    end() {
      if (lineOpen) output.write("\n");
      lineOpen = false;
    },
  };
}
