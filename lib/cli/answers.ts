// Samples answers to a list of prompts and writes them as text, JSON lines or a file. Must not parse flags.

import type { GeneratedChunk, GenerateOptions, Model } from "../engine/index.js";
import type { GenerateSettings } from "../options/index.js";
import { grouped } from "./format.js";
import { requireNewFile, writeWhole } from "./output-file.js";
import type { CommandPrompt } from "./prompts.js";
import { exitCodes } from "./report-error.js";
import type { Terminal } from "./terminal.js";

export interface AnswerRequest {
  readonly model: Model;
  readonly prompts: readonly CommandPrompt[];
  readonly settings: GenerateSettings;
  readonly sampling: GenerateOptions;
  readonly terminal: Terminal;
}

/** One answer so far. */
interface Answer {
  text: string;
  readonly ids: number[];
  readonly logprobs: number[];
  readonly modelLogprobs: number[];
  finish: string | undefined;
}

/** Answers all prompts. Ctrl-C, or that nobody reads on, ends it; what is finished was written. Returns the exit code. */
export async function answerPrompts(request: AnswerRequest): Promise<number> {
  const { prompts, settings, terminal } = request;
  const { output, json } = settings;
  if (output !== undefined) await requireNewFile("output", output);
  const controller = new AbortController();
  let unread = false;
  const stopListening = [
    terminal.onInterrupt(() => controller.abort()),
    terminal.onOutputClosed(() => {
      unread = output === undefined;
      if (unread) controller.abort();
    }),
  ];
  const lines: string[] = [];
  const write = (text: string) => (output === undefined ? terminal.stdout.write(text) : lines.push(text));
  const plain = !json && output === undefined;
  const single = prompts.length * settings.samples === 1;
  const progress = createCounter(request, single);
  try {
    const inOrder = new InOrder(prompts.length * settings.samples, (sequence, answer) => {
      if (!plain) write(jsonLine(request, sequence, answer));
      else write(single ? "\n" : `${heading(request, sequence)}${answer.text}\n\n`);
    });
    for await (const chunk of chunks(request, controller.signal)) {
      const sequence = chunk.prompt * settings.samples + chunk.sample;
      if (plain && single) terminal.stdout.write(chunk.text);
      inOrder.add(sequence, chunk);
      progress.add(chunk.ids.length, chunk.finish !== undefined);
    }
  } catch (error) {
    if (!controller.signal.aborted) throw error;
    if (plain && single) terminal.stdout.write("\n");
  } finally {
    progress.end();
    for (const stop of stopListening) stop();
  }
  if (output !== undefined) await writeWhole(output, lines.join(""));
  return controller.signal.aborted && !unread ? exitCodes.interrupted : exitCodes.done;
}

function chunks({ model, prompts, sampling }: AnswerRequest, signal: AbortSignal) {
  return model.generate(
    prompts.map(({ start }) => start),
    { ...sampling, signal },
  );
}

/** Gathers chunks and hands answers on in order, each as soon as it and all before it are finished. */
class InOrder {
  readonly #answers: Answer[];
  readonly #ready: (sequence: number, answer: Answer) => void;
  #next = 0;

  constructor(count: number, ready: (sequence: number, answer: Answer) => void) {
    this.#answers = Array.from({ length: count }, () => ({
      text: "",
      ids: [],
      logprobs: [],
      modelLogprobs: [],
      finish: undefined,
    }));
    this.#ready = ready;
  }

  add(sequence: number, chunk: GeneratedChunk): void {
    const answer = this.#answers[sequence];
    if (answer === undefined) return;
    answer.text += chunk.text;
    answer.ids.push(...chunk.ids);
    answer.logprobs.push(...chunk.logprobs);
    answer.modelLogprobs.push(...chunk.modelLogprobs);
    answer.finish = chunk.finish;
    for (
      let first = this.#answers[this.#next];
      first?.finish !== undefined;
      first = this.#answers[this.#next]
    ) {
      this.#ready(this.#next, first);
      this.#next += 1;
    }
  }
}

function placeOf({ settings }: AnswerRequest, sequence: number) {
  return { prompt: Math.floor(sequence / settings.samples), sample: sequence % settings.samples };
}

function heading(request: AnswerRequest, sequence: number): string {
  const { prompt, sample } = placeOf(request, sequence);
  const many = request.settings.samples > 1 ? `, sample ${sample + 1}` : "";
  return `--- prompt ${prompt + 1}${many}\n`;
}

/** A row that training reads: what else it holds is metadata there. */
function jsonLine(request: AnswerRequest, sequence: number, answer: Answer): string {
  const { prompt, sample } = placeOf(request, sequence);
  const given = request.prompts[prompt]?.given;
  const completion =
    typeof given === "string" || typeof given?.[0] === "number"
      ? answer.text
      : [{ role: "assistant", content: answer.text }];
  const { ids, logprobs, modelLogprobs, finish } = answer;
  const line = { prompt: given, completion, sample, finish, ids, logprobs, model_logprobs: modelLogprobs };
  return `${JSON.stringify(line)}\n`;
}

/** Counts on standard error, at most twice a second; nothing for a single answer, which streams. */
function createCounter({ prompts, settings, terminal }: AnswerRequest, single: boolean) {
  const all = prompts.length * settings.samples;
  const live = terminal.stderr.isTTY === true;
  const started = performance.now();
  let tokens = 0;
  let done = 0;
  let last = 0;
  const line = () => {
    const rate = tokens / Math.max(1e-3, (performance.now() - started) / 1000);
    return `${grouped(done)} of ${grouped(all)} answers  ${grouped(tokens)} tokens  ${grouped(rate)} tokens/s`;
  };
  return {
    add(count: number, finished: boolean) {
      tokens += count;
      if (finished) done += 1;
      const now = performance.now();
      if (single || now - last < (live ? 500 : 10_000)) return;
      last = now;
      terminal.stderr.write(live ? `\r\x1b[K${line()}` : `${line()}\n`);
    },
    end() {
      if (!single) terminal.stderr.write(live ? `\r\x1b[K${line()}\n` : `${line()}\n`);
    },
  };
}
