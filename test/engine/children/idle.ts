// Loads and evaluates a model, disposes nothing and has nothing left to do: `idle.ts FOLDER`.
// Run by teardown.test.ts: the process must end by itself, but not before the last promise has settled.

import { createEngine } from "../../../lib/engine/index.js";
import { demonstrations } from "../../support/packed-rows.js";

const engine = await createEngine({ threads: 2 });
const model = await engine.loadModel(process.argv[2] ?? "");
const batch = demonstrations(60, 60, 60);
// Not awaited: only the running job keeps the process alive.
void model.forward(batch).then(({ logprobs }) => console.log(`evaluated ${logprobs.length}`));
