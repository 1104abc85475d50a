// Sampling as text: prompts of any form in, a stream of chunks out.
// Must not draw tokens: generation.ts does.

import { fail } from "../errors/index.js";
import { type ChatMessage, encodeChatPrompt, startOnce, type Tokenizer } from "../text/index.js";
import type { DecodedTokens, FrozenModel, JobOptions, SamplingOptions } from "./contract.js";
import { type TextOrIds, wrongId } from "./logprobs.js";
import { expectKeys } from "./options.js";
import { samplingKeys } from "./sampling-options.js";
import { TextDeltas } from "./text-deltas.js";

/**
 * Text (continued as it is; white space at its end belongs to the answer, as in training, and is left out), messages
 * (rendered by the model's chat template) or token ids (taken as they are).
 */
export type Prompt = TextOrIds | readonly ChatMessage[];
export type Prompts = Prompt | readonly Prompt[];

export interface GenerateOptions extends SamplingOptions, JobOptions {
  /** Texts that end an answer; they are left out of it, also when they reach over several tokens. */
  readonly stop?: readonly string[];
}

/** Why an answer ended: a stop token, its length (`maxNewTokens`, or the model's positions), or a text of `stop`. */
export type GenerateFinish = "stop" | "length" | "stop-string";

/** What one token added to one answer. */
export interface GeneratedChunk {
  /** Index of the prompt, and of the sample among those of the prompt. */
  readonly prompt: number;
  readonly sample: number;
  /** Whole characters; empty while more tokens are needed. All of an answer's together are its text. */
  readonly text: string;
  readonly ids: Int32Array;
  /** Of the distribution that was sampled from, and of the model at the temperature; one per id. */
  readonly logprobs: Float32Array;
  readonly modelLogprobs: Float32Array;
  /** Undefined: the answer goes on. */
  readonly finish: GenerateFinish | undefined;
}

export interface GeneratedCompletion extends GeneratedChunk {
  readonly finish: GenerateFinish;
}

export interface GenerateRequest {
  readonly model: Pick<FrozenModel, "startGeneration"> & { tokenizer(): Promise<Tokenizer> };
  readonly prompts: Prompts;
  readonly options: GenerateOptions;
}

export async function* generate(request: GenerateRequest): AsyncGenerator<GeneratedChunk, void, undefined> {
  const { model, options } = request;
  expectKeys("generate", options, [...samplingKeys, "stop", "signal"]);
  const { stop = [], signal, ...sampling } = options;
  if (!isList(stop) || stop.some((text) => typeof text !== "string" || text === "")) {
    const text = `Expected stop to be a list of texts that are not empty but received ${JSON.stringify(stop)}.`;
    throw fail("ATTUNE_OPTION", text);
  }
  signal?.throwIfAborted();
  const tokenizer = await model.tokenizer();
  const ids = promptList(request.prompts).map((prompt, index) => idsOf(prompt, index, tokenizer));
  const samples = options.samples ?? 1;
  const generation = await model.startGeneration(ids, sampling);
  const answers = new Map<number, TextDeltas>();
  try {
    const job = signal === undefined ? {} : { signal };
    for (let step = await generation.next(job); step !== undefined; step = await generation.next(job)) {
      for (const [i, sequence] of step.sequences.entries()) {
        const deltas = answers.get(sequence) ?? new TextDeltas({ tokenizer, stop });
        answers.set(sequence, deltas);
        const { text, finish } = extend(deltas, step, i);
        if (finish === "stop-string" && step.finished[i] === 0) generation.finish(sequence);
        if (finish !== undefined) answers.delete(sequence);
        const at = { prompt: Math.floor(sequence / samples), sample: sequence % samples };
        yield { ...at, text, ...tokenOf(step, i), finish };
        signal?.throwIfAborted();
      }
    }
  } finally {
    await generation.dispose();
  }
}

/** All chunks of each answer put together. */
export async function complete(request: GenerateRequest): Promise<GeneratedCompletion[]> {
  const answers = new Map<string, GeneratedChunk[]>();
  for await (const chunk of generate(request)) {
    const key = `${chunk.prompt} ${chunk.sample}`;
    const chunks = answers.get(key);
    if (chunks === undefined) answers.set(key, [chunk]);
    else chunks.push(chunk);
  }
  return [...answers.values()].map(joined).sort((a, b) => a.prompt - b.prompt || a.sample - b.sample);
}

function joined(chunks: readonly GeneratedChunk[]): GeneratedCompletion {
  const last = chunks.at(-1);
  if (last?.finish === undefined) throw fail("ATTUNE_INTERNAL", "An answer ended without saying why.");
  return {
    prompt: last.prompt,
    sample: last.sample,
    text: chunks.map(({ text }) => text).join(""),
    ids: Int32Array.from(chunks.flatMap(({ ids }) => [...ids])),
    logprobs: Float32Array.from(chunks.flatMap(({ logprobs }) => [...logprobs])),
    modelLogprobs: Float32Array.from(chunks.flatMap(({ modelLogprobs }) => [...modelLogprobs])),
    finish: last.finish,
  };
}

const STOP_TOKEN = 1;

function extend(
  deltas: TextDeltas,
  step: DecodedTokens,
  index: number,
): { text: string; finish: GenerateFinish | undefined } {
  const finished = step.finished[index] ?? 0;
  // The stop token ends the answer; it is no part of its text.
  const pushed =
    finished === STOP_TOKEN ? { text: "", stopped: false } : deltas.push(step.tokens[index] ?? 0);
  if (pushed.stopped) return { text: pushed.text, finish: "stop-string" };
  if (finished === 0) return { text: pushed.text, finish: undefined };
  const rest = deltas.end();
  const text = pushed.text + rest.text;
  if (rest.stopped) return { text, finish: "stop-string" };
  return { text, finish: finished === STOP_TOKEN ? "stop" : "length" };
}

function tokenOf(step: DecodedTokens, i: number): Pick<GeneratedChunk, "ids" | "logprobs" | "modelLogprobs"> {
  return {
    ids: step.tokens.slice(i, i + 1),
    logprobs: step.logprobs.slice(i, i + 1),
    modelLogprobs: step.modelLogprobs.slice(i, i + 1),
  };
}

function promptList(prompts: Prompts): readonly Prompt[] {
  if (!isList(prompts) || isOnePrompt(prompts)) return [prompts as Prompt];
  return prompts as readonly Prompt[];
}

function isList(value: unknown): value is readonly unknown[] {
  return Array.isArray(value);
}

/** A list of ids or of messages is one prompt. */
function isOnePrompt(list: readonly unknown[]): boolean {
  const [first] = list;
  return typeof first === "number" || isMessage(first);
}

function isMessage(value: unknown): value is ChatMessage {
  return typeof value === "object" && value !== null && "role" in value;
}

function idsOf(prompt: Prompt, index: number, tokenizer: Tokenizer): Int32Array {
  if (prompt instanceof Int32Array) return prompt;
  if (typeof prompt === "string") return startOnce(tokenizer, tokenizer.encode(withoutEnd(prompt)));
  if (isList(prompt) && prompt.every((id) => typeof id === "number")) return wholeIds(prompt, index);
  if (isList(prompt) && prompt.every(isMessage)) return encodeChatPrompt({ tokenizer, messages: prompt }).ids;
  const text = `Prompt ${index}: expected a text, messages or token ids but received ${JSON.stringify(prompt)}.`;
  throw fail("ATTUNE_DATA", text, { details: { prompt: index } });
}

const WHITE_SPACE = /^\p{White_Space}$/u;

/** Without the white space at its end; read from behind, since a pattern would try every run of it. */
function withoutEnd(text: string): string {
  let end = text.length;
  while (end > 0 && WHITE_SPACE.test(text[end - 1] ?? "")) end -= 1;
  return text.slice(0, end);
}

function wholeIds(ids: readonly number[], index: number): Int32Array {
  const wrong = wrongId(ids);
  if (wrong === undefined) return Int32Array.from(ids);
  throw fail("ATTUNE_DATA", `Prompt ${index}: expected whole token ids but received ${wrong}.`);
}
