// The whole of RLHF on the toy world, stage by stage: pre-training, imitation, judgements, a reward model, policies, a table.
// Must not print.

import { createEngine, type Logger } from "../../engine/index.js";
import { AttuneError, fail } from "../../errors/index.js";
import type { SharedMetrics, TrainEvent, TrainRun } from "../../train/index.js";
import { type ToyFiles, toyFiles, writePolicies, writeToyWorld } from "./files.js";
import { runSettings, sizes } from "./settings.js";
import {
  askAnnotators,
  dpoStage,
  imitate,
  ktoStage,
  learnReward,
  ppoStage,
  pretrain,
  type ToyLab,
} from "./stages.js";
import { type PolicyRow, PolicyTable } from "./table.js";

export interface QuickstartOptions {
  /** Receives everything: start model, rows, runs. Must not exist yet, or be empty. */
  readonly output: string;
  readonly seed: number;
  readonly threads?: number;
  /** Of the engine: is told why the CPU is used where a GPU is. */
  readonly logger?: Logger;
  /** Told when a stage begins. */
  readonly onStage?: (stage: QuickstartStage) => void;
  /** Events of the runs. */
  readonly onEvent?: (event: TrainEvent<SharedMetrics>) => void;
  /** Told once about the control with which the quickstart is stopped. */
  readonly onStart?: (control: { stop(): Promise<unknown> }) => void;
}

export interface QuickstartStage {
  /** From 1. */
  readonly number: number;
  readonly count: number;
  /** What it does, as a title. */
  readonly text: string;
}

export interface QuickstartResult {
  /** `interrupted`: it was stopped, and the table lacks what came later. */
  readonly status: "done" | "interrupted";
  readonly output: string;
  readonly seed: number;
  /** Prompts of the table, which nobody trained on. */
  readonly prompts: number;
  readonly table: readonly PolicyRow[];
  readonly files: ToyFiles;
  readonly seconds: number;
}

interface Step {
  readonly text: string;
  readonly work: () => Promise<unknown>;
}

/**
 * Writes the world, trains everything, measures.
 * @throws ATTUNE_OUTPUT_EXISTS when `output` holds something, ATTUNE_OUTPUT when it cannot be written
 */
export async function quickstart(options: QuickstartOptions): Promise<QuickstartResult> {
  const started = performance.now();
  const { output, seed, threads, logger, onStage, onStart } = options;
  const files = toyFiles(output);
  const prompts = await writeToyWorld(output, seed);
  const control = new Control(options);
  onStart?.(control);
  const engine = await createEngine({
    device: "auto",
    ...(threads === undefined ? {} : { threads }),
    ...(logger === undefined ? {} : { logger }),
  });
  const lab: ToyLab = {
    engine,
    seed,
    files,
    prompts,
    job: { signal: control.signal },
    follow: control.follow,
  };
  const table: PolicyRow[] = [];
  let status: QuickstartResult["status"] = "done";
  try {
    const steps = stepsOf(lab, table);
    for (const [index, { text, work }] of steps.entries()) {
      control.signal.throwIfAborted();
      onStage?.({ number: index + 1, count: steps.length, text });
      await work();
    }
  } catch (error) {
    const aborted = error instanceof AttuneError && error.code === "ATTUNE_ABORTED";
    if (!control.signal.aborted || !aborted) throw error;
    status = "interrupted";
  } finally {
    await engine.dispose();
  }
  if (table.length > 0)
    await writePolicies(files, { seed, prompts: prompts.heldOut.length, policies: table });
  const seconds = (performance.now() - started) / 1000;
  return { status, output, seed, prompts: prompts.heldOut.length, table, files, seconds };
}

/** Every stage in its order; rows of the table are added as soon as a policy is there. */
function stepsOf(lab: ToyLab, table: PolicyRow[]): readonly Step[] {
  const { ipo, ptx } = runSettings;
  const measured = async (measure: (open: PolicyTable) => Promise<PolicyRow>) => {
    const open = await PolicyTable.open(lab);
    try {
      table.push(await measure(open));
    } finally {
      await open.dispose();
    }
  };
  const policy = (how: string, name: string, train: () => Promise<unknown>): Step => ({
    text: how,
    work: async () => {
      await train();
      await measured((open) => open.run(name, how));
    },
  });
  return [
    { text: "pre-training a random model on texts of the shop", work: () => pretrain(lab) },
    { text: "SFT: imitating clerks, who are not all good ones", work: () => imitate(lab) },
    { text: "sampling answers and asking simulated annotators", work: () => askAnnotators(lab) },
    {
      text: "a reward model of their judgements",
      work: async () => {
        await learnReward(lab);
        await measured((open) => open.sft());
        await measured((open) => open.bestOf(sizes.bestOf));
      },
    },
    policy("DPO on their pairs", "dpo", () => dpoStage(lab, { name: "dpo" })),
    policy("IPO on their pairs", "ipo", () => dpoStage(lab, { name: "ipo", settings: ipo })),
    policy("KTO on their thumbs", "kto", () => ktoStage(lab, { name: "kto" })),
    policy("PPO against the reward model", "ppo", () => ppoStage(lab, { name: "ppo" })),
    policy("PPO with pre-training texts (PPO-ptx)", "ppo-ptx", () =>
      ppoStage(lab, { name: "ppo-ptx", settings: { ...ptx, ptxData: lab.files.texts } }),
    ),
  ];
}

/** Stops what is going on, politely: a run finishes its step and saves; sampling ends at once. */
class Control {
  readonly #abort = new AbortController();
  readonly #onEvent: QuickstartOptions["onEvent"];
  #run: { stop(): Promise<unknown> } | undefined;

  constructor({ onEvent }: QuickstartOptions) {
    this.#onEvent = onEvent;
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  async stop(): Promise<void> {
    this.#abort.abort(stopped());
    await this.#run?.stop();
  }

  readonly follow: ToyLab["follow"] = async <Metrics extends SharedMetrics>(run: TrainRun<Metrics>) => {
    this.#run = run;
    try {
      for await (const event of run) this.#onEvent?.(event as unknown as TrainEvent<SharedMetrics>);
      const result = await run.result;
      if (result.status === "interrupted") throw stopped();
      return result;
    } finally {
      this.#run = undefined;
    }
  };
}

function stopped() {
  return fail("ATTUNE_ABORTED", "The quickstart was stopped before its end.");
}
