// `attune convert`: GGUF to a Hugging Face folder, another number format, an adapter merged into its model.

import { existsSync, readdirSync, statSync } from "node:fs";
import { Command } from "commander";
import { createEngine } from "../engine/index.js";
import { fail } from "../errors/index.js";
import { type ConvertSettings, commandSchemas } from "../options/index.js";
import { addFlags, givenOptions } from "./flags.js";
import { grouped } from "./format.js";
import { exitCodes } from "./report-error.js";
import type { Terminal } from "./terminal.js";

const example = `
Reads in fp32 and rounds once, when it writes. A trained adapter needs no splitting: runs write it apart from its model.

Examples:
  attune convert --model model.gguf --output model-folder
  attune convert --model path/to/model --output smaller --dtype bf16
  attune convert --model path/to/model --adapter runs/dpo/model --output tuned`;

export function convertCommand(terminal: Terminal, ended: (code: number) => void): Command {
  const command = new Command("convert")
    .summary("GGUF to a Hugging Face folder, change dtype, merge an adapter")
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

async function convert(settings: ConvertSettings, terminal: Terminal): Promise<number> {
  const { model: path, adapter, output, dtype, threads, json } = settings;
  if (existsSync(output) && (!statSync(output).isDirectory() || readdirSync(output).length > 0)) {
    const text = `Expected output to be a new or an empty folder but ${output} holds something. Choose another.`;
    throw fail("ATTUNE_OUTPUT_EXISTS", text);
  }
  const controller = new AbortController();
  const { signal } = controller;
  const stopListening = terminal.onInterrupt(() => controller.abort());
  const engine = await createEngine(threads === undefined ? {} : { threads });
  try {
    const model = await engine.loadModel(path, { signal, ...(adapter === undefined ? {} : { adapter }) });
    const merged = model.adapter !== undefined;
    if (merged) await model.saveMerged(output, { dtype, signal });
    else await model.save(output, { dtype, signal });
    // An adapter's own numbers are gone once it is merged.
    const parameters = model.parameters - (merged ? model.trainableParameters : 0);
    const summary = { output, parameters, dtype, merged };
    const text = `${grouped(parameters)} parameters in ${dtype}${merged ? ", adapter merged" : ""}: ${output}`;
    terminal.stdout.write(json ? `${JSON.stringify(summary)}\n` : `${text}\n`);
    return exitCodes.done;
  } catch (error) {
    if (!signal.aborted) throw error;
    terminal.stderr.write("Interrupted; nothing was written.\n");
    return exitCodes.interrupted;
  } finally {
    stopListening();
    await engine.dispose();
  }
}
