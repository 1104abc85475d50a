// Trains as it is told by its first argument, JSON with the trainer and its options, and says each step on standard
// output. To be killed, or to be sent signals; it handles none.

import { type DpoOptions, dpo, type SftOptions, sft } from "../../../lib/train/index.js";

export type ChildRun =
  | { readonly trainer: "sft"; readonly options: SftOptions }
  | { readonly trainer: "dpo"; readonly options: DpoOptions };

const told = JSON.parse(process.argv[2] ?? "{}") as ChildRun;
const run = told.trainer === "sft" ? sft(told.options) : dpo(told.options);
for await (const event of run) {
  if (event.type === "step") process.stdout.write(`step ${event.step}\n`);
}
await run.result;
