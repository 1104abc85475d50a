// A loop that runs beside the service of the dashboard's tests, in a project of its own: policies of digits, judged by
// simulated people. Must not look at pages.

import { AttuneError } from "../../lib/errors/index.js";
import type { RunningLoop } from "../../lib/feedback/index.js";
import { digitLoop, digitWork, judgeSome, raters } from "../feedback/digits.js";
import { PROJECT, sampleProject } from "../feedback/sample-project.js";
import type { JudgedService } from "./judged-project.js";

export const LOOP_PROJECT = PROJECT;
const people = 3;

export interface DashboardLoop {
  readonly loop: RunningLoop;
  /** Codes of what has gone wrong. */
  told(): readonly string[];
  /** From now on nothing can be scored; an item comes, and the loop notices. */
  breakScores(): Promise<void>;
  end(): Promise<void>;
}

/** It has trained two rounds, and votes came since. */
export async function dashboardLoop({ store, loops }: JudgedService): Promise<DashboardLoop> {
  const settings = { asks: [{ kind: "pair" as const }], random: 0.5, selector: "disagreement" as const };
  await sampleProject(store, { items: 0, people, settings });
  const codes: string[] = [];
  let broken = false;
  const loop = digitLoop(store, {
    onEvent: (event) => event.type === "error" && codes.push(event.error.code),
    score: async (request) => {
      if (broken) throw new AttuneError("ATTUNE_FILE", "The scorer is gone.");
      return digitWork.score(request);
    },
  });
  const panel = raters(people);
  await loop.check();
  for (const votes of [40, 40, 9]) {
    await judgeSome(store, panel, votes);
    await loop.check();
  }
  loops.set(PROJECT, loop);
  return {
    loop,
    told: () => codes,
    async breakScores() {
      broken = true;
      await store.write(PROJECT, "addItems", {
        items: [{ externalId: "new", prompt: "One more?", answers: [{ content: "3" }, { content: "7" }] }],
      });
      await loop.check();
    },
    async end() {
      loops.delete(PROJECT);
      await loop.stop();
    },
  };
}
