// How the live loop is: its policy, lag, rounds and how it predicted votes. Must not run it.

import { fail } from "../errors/index.js";
import { type LoopStatus, type PredictedGroup, predictedByGroup } from "../feedback/index.js";
import { loopStatus as loopStatusAnswer } from "./answers/loop.js";
import { type Route, route } from "./route.js";

export const loopRoutes: readonly Route[] = [
  route({
    method: "get",
    path: "/v1/loop",
    roles: ["reader", "trainer", "owner"],
    summary: "The live loop: policy, lag, rounds, votes predicted before training on them, the last error",
    answers: loopStatusAnswer,
    async handle({ store, project, loopStatus }) {
      const status = loopStatus?.(project);
      if (status !== undefined) return toldStatus(status, await predictedByGroup(store.reading, project));
      throw fail("ATTUNE_NOT_FOUND", `Expected a project with a running loop but "${project}" has none.`);
    },
  }),
];

/** Without the folders of this machine. */
function toldStatus(
  { policy, history, prequential, ...rest }: LoopStatus,
  groups: readonly PredictedGroup[],
) {
  const without = <Placed extends { readonly place: string }>({ place: _, ...told }: Placed) => told;
  return {
    ...rest,
    prequential: { ...prequential, groups },
    policy: policy === null ? null : without(policy),
    history: history.map(without),
  };
}
