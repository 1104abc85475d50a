// `attune generate`: samples from a model, for prompts, a file of prompts, or a conversation. Parses and chooses;
// answers.ts and chat.ts do.

import { Command } from "commander";
import { createEngine, type Engine, type Model } from "../engine/index.js";
import { fail } from "../errors/index.js";
import { commandSchemas, type GenerateSettings } from "../options/index.js";
import { loadTokenizer, type Tokenizer } from "../text/index.js";
import { answerPrompts } from "./answers.js";
import { chat } from "./chat.js";
import { addFlags, givenOptions } from "./flags.js";
import { printOptions } from "./print-options.js";
import { promptsOf } from "./prompts.js";
import { exitCodes } from "./report-error.js";
import { samplingOf } from "./sampling.js";
import { engineLogger, type Terminal } from "./terminal.js";

const example = `
A text prompt is continued as it stands, as in training on plain text. Messages (rows of --prompts, --chat, or text with
--apply-chat-template) go through the model's chat template. Standard output has the answers alone.

Examples:
  attune generate --model path/to/model --prompt "Once upon a time" --temperature 0.8 --samples 3
  attune generate --model path/to/model --adapter runs/dpo/model --chat --system "Answer in one sentence."
  attune generate --model path/to/model --prompts questions.jsonl --output answers.jsonl --max-new-tokens 256
  echo "What is a lease?" | attune generate --model path/to/model --chat`;

export function generateCommand(terminal: Terminal, ended: (code: number) => void): Command {
  const command = new Command("generate")
    .summary("sample from a model: prompts, a file of prompts, or a chat")
    .description("Samples answers to prompts from a model, with or without an adapter.")
    .addHelpText("after", example);
  addFlags(command, commandSchemas.generate);
  return command.action(async () => {
    if (printOptions("generate", command, terminal)) return ended(exitCodes.done);
    const settings = givenOptions(command, commandSchemas.generate).resolved;
    requireOneSource(settings);
    ended(await withModel(settings, terminal, (place) => work(place, settings, terminal)));
  });
}

/** A loaded model and how its texts are read. */
export interface GeneratePlace {
  readonly model: Model;
  readonly tokenizer: Tokenizer;
}

function requireOneSource({ prompt, prompts, chat: talk, output }: GenerateSettings): void {
  const given = [prompt !== undefined && "--prompt", prompts !== undefined && "--prompts", talk && "--chat"];
  const names = given.filter((name) => name !== false);
  if (talk && output !== undefined)
    throw fail("ATTUNE_OPTION", "Expected --chat without --output: answers go to standard output.");
  if (names.length === 1) return;
  const found = names.length === 0 ? "none of them" : names.join(" and ");
  throw fail("ATTUNE_OPTION", `generate needs one of --prompt, --prompts and --chat but received ${found}.`);
}

async function withModel(
  settings: GenerateSettings,
  terminal: Terminal,
  use: (place: GeneratePlace) => Promise<number>,
): Promise<number> {
  const { model: path, adapter, dtype, device, threads, chatTemplate } = settings;
  const tokenizer = await loadTokenizer({ path, ...(chatTemplate === undefined ? {} : { chatTemplate }) });
  let engine: Engine | undefined;
  try {
    engine = await createEngine({
      device,
      ...(threads === undefined ? {} : { threads }),
      logger: engineLogger(terminal),
    });
    const model = await engine.loadModel(path, { dtype, ...(adapter === undefined ? {} : { adapter }) });
    return await use({ model, tokenizer });
  } finally {
    await engine?.dispose();
  }
}

async function work(place: GeneratePlace, settings: GenerateSettings, terminal: Terminal): Promise<number> {
  const sampling = samplingOf(settings, place.tokenizer);
  if (settings.chat) return chat({ ...place, settings, sampling, terminal });
  const prompts = await promptsOf(settings, place.tokenizer);
  return answerPrompts({ ...place, prompts, settings, sampling, terminal });
}
