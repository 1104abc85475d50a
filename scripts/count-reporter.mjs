// A mocha reporter that prints every test as mocha's own `spec` does, keeps the counts for the last line and says which files
// took longest. Must not decide what runs.

import { relative } from "node:path";
import Mocha from "mocha";

const { Spec } = Mocha.reporters;
const { EVENT_RUN_BEGIN, EVENT_RUN_END, EVENT_TEST_END } = Mocha.Runner.constants;

/** Counts of the run that ended last. */
export const counts = { passed: 0, failed: 0, pending: 0 };

/** Files that are named at the end, and the least seconds worth naming. */
const [NAMED, LEAST] = [25, 5];

export class CountReporter extends Spec {
  constructor(runner, options) {
    super(runner, options);
    const seconds = new Map();
    let last = performance.now();
    runner.once(EVENT_RUN_BEGIN, () => {
      last = performance.now();
    });
    // With the hooks before it.
    runner.on(EVENT_TEST_END, ({ file }) => {
      const now = performance.now();
      seconds.set(file, (seconds.get(file) ?? 0) + (now - last) / 1000);
      last = now;
    });
    runner.once(EVENT_RUN_END, () => {
      counts.passed = this.stats.passes;
      counts.failed = this.stats.failures;
      counts.pending = this.stats.pending;
      const slow = [...seconds].filter(([, time]) => time >= LEAST).sort(([, a], [, b]) => b - a);
      for (const [file, time] of slow.slice(0, NAMED))
        console.log(`${time.toFixed(0).padStart(5)} s  ${relative(process.cwd(), file ?? "")}`);
    });
  }
}
