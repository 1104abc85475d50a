// Trains as it is told by its first argument, JSON with the trainer and its options, and says each step on standard
// output. To be killed, or to be sent signals; it handles none.

import {
  type DpoOptions,
  dpo,
  type PpoOptions,
  ppo,
  type SftOptions,
  sft,
} from "../../../lib/train/index.js";
import { lowIds } from "../online-runs.js";

export type ChildRun =
  | { readonly trainer: "sft"; readonly options: SftOptions }
  | { readonly trainer: "dpo"; readonly options: DpoOptions }
  /** Its reward, a function, is not in the JSON: lowIds. */
  | { readonly trainer: "ppo"; readonly options: PpoOptions };

const told = JSON.parse(process.argv[2] ?? "{}") as ChildRun;
const run = start();
for await (const event of run) {
  if (event.type === "step") process.stdout.write(`step ${event.step}\n`);
}
await run.result;

function start() {
  if (told.trainer === "ppo") return ppo({ ...told.options, rewards: lowIds });
  return told.trainer === "sft" ? sft(told.options) : dpo(told.options);
}
