// A process of its own that trains a round by simulated judgements, says so, and goes on until it is killed.
// Arguments: the URL of the store, in which the project is.

import { openFeedbackStore } from "../../lib/feedback/store/open-store.js";
import { digitLoop, judgeSome, raters } from "./digits.js";

async function main(): Promise<void> {
  const store = await openFeedbackStore({ store: process.argv[2] ?? "" });
  const loop = digitLoop(store);
  await loop.check();
  await judgeSome(store, raters(3), 40);
  await loop.check();
  process.stdout.write(`round ${loop.status().rounds}\n`);
}

void main();
