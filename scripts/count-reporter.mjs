// A mocha reporter that prints every test as mocha's own `spec` does and keeps the counts for the last line.
// Must not decide what runs.

import Mocha from "mocha";

const { Spec } = Mocha.reporters;
const { EVENT_RUN_END } = Mocha.Runner.constants;

/** Counts of the run that ended last. */
export const counts = { passed: 0, failed: 0, pending: 0 };

export class CountReporter extends Spec {
  constructor(runner, options) {
    super(runner, options);
    runner.once(EVENT_RUN_END, () => {
      counts.passed = this.stats.passes;
      counts.failed = this.stats.failures;
      counts.pending = this.stats.pending;
    });
  }
}
