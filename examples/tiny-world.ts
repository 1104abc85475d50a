// Stands in for your model and your files: a tiny model with random weights and rows of a toy world, in one folder.
// It learns fast with rates far above those of a real model. Must not be copied into an application.

import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { cornerShop, writeTinyModel } from "../lib/world/index.js";

export interface TinyWorld {
  /** A Hugging Face folder. */
  readonly model: string;
  /** {"prompt", "completion"} per line. */
  readonly demonstrations: string;
  /** {"prompt", "chosen", "rejected"} per line. */
  readonly pairs: string;
}

export async function tinyWorld(folder: string): Promise<TinyWorld> {
  await mkdir(folder, { recursive: true });
  const { demonstrations, pairs } = cornerShop({ seed: 0, count: 160 });
  const lines = (rows: readonly object[]) => rows.map((row) => `${JSON.stringify(row)}\n`).join("");
  const world = {
    model: join(folder, "model"),
    demonstrations: join(folder, "demonstrations.jsonl"),
    pairs: join(folder, "pairs.jsonl"),
  };
  await writeTinyModel({ folder: world.model, seed: 0 });
  await writeFile(world.demonstrations, lines(demonstrations));
  await writeFile(world.pairs, lines(pairs));
  return world;
}
