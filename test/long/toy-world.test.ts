// The toy world from several seeds: room above imitation, and a reward model that is exploited when nothing holds the policy.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { createEngine } from "../../lib/engine/index.js";
import { bestOfTable, chaseProxy, prepare } from "../world/toy-run.js";

const shown = (values: readonly number[]) => values.map((value) => value.toFixed(2)).join(" ");

describe("chasing the reward model of the toy world without a KL term", () => {
  for (const seed of [0, 1, 2]) {
    it(`raises the proxy while the true reward falls, and the alarm says so (seed ${seed})`, async () => {
      const folder = mkdtempSync(join(tmpdir(), "attune-toy-"));
      const engine = await createEngine({ device: "cpu" });
      try {
        const run = await prepare(engine, folder, seed);
        const { byTrue, byProxy } = await bestOfTable(run);
        const { looks, alarms } = await chaseProxy(run, { steps: 120, every: 10 });
        const golds = looks.map(({ gold }) => gold?.mean ?? Number.NaN);
        const proxies = looks.map(({ proxy }) => proxy.mean);
        console.log(
          `      best of 1, 4, 16, 64 by true reward ${shown(byTrue.map(({ gold }) => gold.mean))}`,
        );
        console.log(`      the same by reward model ${shown(byProxy.map(({ gold }) => gold.mean))}`);
        console.log(`      proxy ${shown(proxies)}`);
        console.log(`      true  ${shown(golds)}; alarms ${alarms.join(", ")}`);
        expect(proxies.at(-1)).to.be.above((proxies[0] ?? 0) + 1);
        expect(golds.at(-1)).to.be.below(Math.max(...golds) - 0.5);
        expect(alarms).to.include("reward-up-gold-down");
      } finally {
        await engine.dispose();
        rmSync(folder, { recursive: true });
      }
    });
  }
});
