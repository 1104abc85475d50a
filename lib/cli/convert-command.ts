// `attune convert`: GGUF to a Hugging Face folder, another number format, an adapter merged into its model.

import { existsSync, readdirSync, statSync } from "node:fs";
import { Command } from "commander";
import { convertModel, createEngine } from "../engine/index.js";
import { fail } from "../errors/index.js";
import { type ConvertSettings, commandSchemas } from "../options/index.js";
import { addFlags, givenOptions } from "./flags.js";
import { grouped } from "./format.js";
import { exitCodes } from "./report-error.js";
import { engineLogger, type Terminal } from "./terminal.js";

const example = `
Merging is done in fp32 and rounded once. --split writes the base and the adapter apart, so that peft finds both also where the
base was a GGUF file; merged weights cannot be split again.

Examples:
  attune convert --model model.gguf --output model-folder
  attune convert --model path/to/model --output smaller --dtype bf16
  attune convert --model path/to/model --adapter runs/dpo/model --output tuned
  attune convert --model model.gguf --adapter runs/dpo/model --split --output apart`;

export function convertCommand(terminal: Terminal, ended: (code: number) => void): Command {
  const command = new Command("convert")
    .summary("GGUF to a Hugging Face folder, change dtype, merge or split an adapter")
    .description(
      "Reads a model, merges an adapter into it if one is given, and writes a Hugging Face folder.",
    )
    .addHelpText("after", example);
  addFlags(command, commandSchemas.convert);
  return command.action(async () => {
    const settings = givenOptions(command, commandSchemas.convert).resolved;
    ended(await convert(settings, terminal));
  });
}

const done = { copied: "", merged: ", adapter merged", split: ", adapter apart" } as const;

async function convert(settings: ConvertSettings, terminal: Terminal): Promise<number> {
  const { model, adapter, output, split, dtype, threads, json } = settings;
  if (existsSync(output) && (!statSync(output).isDirectory() || readdirSync(output).length > 0)) {
    const text = `Expected output to be a new or an empty folder but ${output} holds something. Choose another.`;
    throw fail("ATTUNE_OUTPUT_EXISTS", text);
  }
  const controller = new AbortController();
  const { signal } = controller;
  const stopListening = terminal.onInterrupt(() => controller.abort());
  const engine = await createEngine({
    logger: engineLogger(terminal),
    ...(threads === undefined ? {} : { threads }),
  });
  try {
    const parts = { model, ...(adapter === undefined ? {} : { adapter }) };
    const { kind, folders, parameters } = await convertModel({
      engine,
      ...parts,
      output,
      split,
      dtype,
      signal,
    });
    const text = `${grouped(parameters)} parameters in ${dtype}${done[kind]}: ${folders.join(", ")}`;
    terminal.stdout.write(json ? `${JSON.stringify({ kind, folders, parameters, dtype })}\n` : `${text}\n`);
    return exitCodes.done;
  } catch (error) {
    if (!signal.aborted) throw error;
    terminal.stderr.write("Interrupted; the output was not finished.\n");
    return exitCodes.interrupted;
  } finally {
    stopListening();
    await engine.dispose();
  }
}
