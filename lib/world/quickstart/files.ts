// The rows and folders of a toy pipeline on disk. Must not train.

import { readdirSync } from "node:fs";
import { rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { makeFolder, removeMade } from "../../engine/make-folder.js";
import { fail, reasonOf } from "../../errors/index.js";
import { shopDemonstrations, shopPrompts, shopTexts } from "../corner-shop.js";
import { writeTinyModel } from "../tiny-model.js";
import { sizes } from "./settings.js";

/** Where everything of a pipeline lies. */
export function toyFiles(folder: string) {
  const at = (name: string) => join(folder, name);
  return {
    start: at("start-model"),
    texts: at("rows/texts.jsonl"),
    heldOutTexts: at("rows/held-out-texts.jsonl"),
    demonstrations: at("rows/demonstrations.jsonl"),
    prompts: at("rows/prompts.jsonl"),
    heldOut: at("rows/held-out.jsonl"),
    watched: at("rows/watched.jsonl"),
    rankings: at("rows/rankings.jsonl"),
    pairs: at("rows/pairs.jsonl"),
    thumbs: at("rows/thumbs.jsonl"),
    policies: at("policies.json"),
    /** A module with the true reward, for --gold-function. */
    trueReward: at("true-reward.mjs"),
    /** The folder of a run. */
    run: at,
    /** The model that a run trained. */
    model: (run: string) => join(folder, run, "model"),
  } as const;
}

export type ToyFiles = ReturnType<typeof toyFiles>;

/** By the place of this very installation: the folder may lie anywhere. */
const trueRewardModule = `// The true reward of the toy world, which no annotator and no reward model ever saw, for --gold-function.
export { trueRewards as default } from ${JSON.stringify(new URL("../true-reward.js", import.meta.url).href)};
`;

export interface ToyPrompts {
  readonly training: readonly string[];
  readonly heldOut: readonly string[];
}

/**
 * Writes the start model and all rows that need no policy. Nothing stays of it when it fails.
 * @throws ATTUNE_OUTPUT_EXISTS when the folder holds something, ATTUNE_OUTPUT when it cannot be written
 */
export async function writeToyWorld(folder: string, seed: number): Promise<ToyPrompts> {
  requireEmpty(folder);
  const files = toyFiles(folder);
  const texts = shopTexts({ seed, count: sizes.texts + sizes.heldOutTexts });
  const asked = shopPrompts({ seed, count: sizes.heldOut + sizes.prompts });
  const prompts = { heldOut: asked.slice(0, sizes.heldOut), training: asked.slice(sizes.heldOut) };
  const rowsOf = (list: readonly string[]) => list.map((prompt) => ({ prompt }));
  const write = (path: string, rows: readonly object[]) => writeFile(path, linesOf(rows));
  let made: readonly string[] = [];
  try {
    made = [...makeFolder(resolve(folder)), ...makeFolder(resolve(folder, "rows"))];
    await writeTinyModel({ folder: files.start, seed, tokens: "words" });
    await writeFile(files.trueReward, trueRewardModule);
    await write(files.texts, texts.slice(0, sizes.texts));
    await write(files.heldOutTexts, texts.slice(sizes.texts));
    await write(files.demonstrations, shopDemonstrations({ seed, count: sizes.demonstrations }));
    await write(files.prompts, rowsOf(prompts.training));
    await write(files.heldOut, rowsOf(prompts.heldOut));
    await write(files.watched, rowsOf(prompts.heldOut.slice(0, sizes.watched)));
    return prompts;
  } catch (error) {
    // Neither was there before: the folder was empty.
    for (const path of [files.start, files.run("rows"), files.trueReward]) await removeQuietly(path);
    removeMade(made);
    const advice = "Choose a folder that you may write, with enough free space.";
    throw fail("ATTUNE_OUTPUT", `Cannot write the output folder ${folder}: ${reasonOf(error)}. ${advice}`, {
      cause: error,
    });
  }
}

/**
 * Rows that came later than the world.
 * @throws ATTUNE_OUTPUT when they cannot be written
 */
export async function writeRows(path: string, rows: readonly object[]): Promise<void> {
  await writeText(path, linesOf(rows));
}

/**
 * The table of a quickstart as policies.json, which `attune report` shows.
 * @throws ATTUNE_OUTPUT when it cannot be written
 */
export async function writePolicies(files: ToyFiles, table: object): Promise<void> {
  await writeText(files.policies, `${JSON.stringify(table, undefined, 2)}\n`);
}

async function writeText(path: string, text: string): Promise<void> {
  try {
    await writeFile(path, text);
  } catch (error) {
    const advice = "Make room, or choose another place.";
    throw fail("ATTUNE_OUTPUT", `Cannot write ${path}: ${reasonOf(error)}. ${advice}`, { cause: error });
  }
}

function linesOf(rows: readonly object[]): string {
  return rows.map((row) => `${JSON.stringify(row)}\n`).join("");
}

/** What was never made may not be there to remove; the failed write is what counts. */
async function removeQuietly(path: string): Promise<void> {
  try {
    await rm(path, { recursive: true, force: true });
  } catch {
    // A parent of it is no folder.
  }
}

function requireEmpty(folder: string): void {
  let found: readonly string[];
  try {
    found = readdirSync(folder);
  } catch {
    // There is none yet, or it is no folder: making it says so.
    return;
  }
  if (found.length === 0) return;
  const text = `Expected output to be a new or empty folder but ${folder} holds ${found[0]}. Choose another.`;
  throw fail("ATTUNE_OUTPUT_EXISTS", text, { details: { path: folder } });
}
