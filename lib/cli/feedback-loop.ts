// A feedback loop on the engine: answers are generated, judged, trained on and scored by models in this process.
// Must not serve anything, and must not decide when what happens: lib/feedback does.

import { basename, resolve } from "node:path";
import { createEngine, type Engine } from "../engine/index.js";
import { fail } from "../errors/index.js";
import { type ExportKind, type RunningLoop, startLoop } from "../feedback/index.js";
import { generateAnswers } from "./feedback-loop-answers.js";
import { LoopModels } from "./feedback-loop-models.js";
import type { CreateTrainingLoop, LoopTrainer } from "./feedback-loop-options.js";
import { scoreItems } from "./feedback-loop-scores.js";
import { trainRound } from "./feedback-loop-train.js";

export type { CreateTrainingLoop, LoopTrainer, TrainerSettings } from "./feedback-loop-options.js";
export { loopTrainers } from "./feedback-loop-options.js";

/** Ties teach a reward model, and are left out for a policy. */
const kinds: Readonly<Record<LoopTrainer, readonly ExportKind[]>> = {
  dpo: ["reward"],
  "reward+ppo": ["reward"],
  kto: ["unpaired", "reward"],
};

/**
 * Starts a loop; `stop` of the result lets go of models, and of the engine where it made one.
 * @throws ATTUNE_OPTION, ATTUNE_LOOP where this process has a loop of the project already, and what makes no engine
 */
export async function createTrainingLoop(options: CreateTrainingLoop): Promise<RunningLoop> {
  if (options.prompts.length === 0)
    throw fail("ATTUNE_OPTION", "Expected prompts for the loop to answer but received none.");
  const engine = options.engine ?? (await createEngine(options.engineOptions ?? {}));
  const models = new LoopModels(engine, options.dtype ?? "fp32");
  const letGo = () => (options.engine === undefined ? engine.dispose() : models.keep());
  try {
    const loop = startOn(engine, models, options);
    return {
      status: loop.status,
      check: () => loop.check(),
      async stop() {
        await loop.stop();
        await letGo();
      },
    };
  } catch (error) {
    await letGo();
    throw error;
  }
}

function startOn(engine: Engine, models: LoopModels, options: CreateTrainingLoop): RunningLoop {
  const { store, project, policy, reward, prompts, train } = options;
  const first = resolve(policy);
  const own = { ...options, policy: first };
  const needsBound = async () => (await selectorOf(options)) === "optimistic";
  return startLoop({
    ...{ store, project, prompts, kinds: kinds[train] },
    // People read it: no folders of this machine.
    first: { model: `${basename(first)}@round-0`, place: first },
    ...(reward === undefined ? {} : { scorer: resolve(reward) }),
    ...(options.settings === undefined ? {} : { settings: options.settings }),
    ...(options.selector === undefined ? {} : { selector: options.selector }),
    ...(options.clock === undefined ? {} : { clock: options.clock }),
    ...(options.onEvent === undefined ? {} : { onEvent: options.onEvent }),
    generate: (request) => generateAnswers(models, options, request),
    score: (request) => scoreItems(models, own, request),
    train: (request) => trainRound({ engine, models, options: own, needsBound }, request),
  });
}

/** Of the project's settings; undefined: a function chooses. */
async function selectorOf({ store, project, selector }: CreateTrainingLoop): Promise<string | undefined> {
  if (selector !== undefined) return undefined;
  const row = await store.reading
    .selectFrom("projects")
    .select("settings")
    .where("project", "=", project)
    .executeTakeFirst();
  return row === undefined ? undefined : (JSON.parse(row.settings) as { selector?: string }).selector;
}
