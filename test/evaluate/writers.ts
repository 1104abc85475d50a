// Writers whose answers are known, for tests of what is done with answers. Must not load a model.

import type { GeneratedChunk, GenerateOptions, Prompts } from "../../lib/engine/index.js";
import type { Writer } from "../../lib/evaluate/index.js";

/** Writes `text(prompt, sample)` a character at a time; answers of more than `maxNewTokens` characters are cut. */
export function writerOf(
  text: (prompt: number, sample: number) => string,
): Writer & { readonly calls: GenerateOptions[] } {
  const calls: GenerateOptions[] = [];
  return {
    calls,
    async *generate(prompts: Prompts, options: GenerateOptions = {}) {
      calls.push(options);
      const { samples = 1, maxNewTokens = 128, signal } = options;
      for (let prompt = 0; prompt < prompts.length; prompt++) {
        for (let sample = 0; sample < samples; sample++) {
          signal?.throwIfAborted();
          yield* chunksOf(text(prompt, sample), { prompt, sample }, maxNewTokens);
        }
      }
    },
  };
}

function* chunksOf(
  text: string,
  at: { readonly prompt: number; readonly sample: number },
  most: number,
): Generator<GeneratedChunk> {
  const ends = text.length < most;
  const characters = [...text.slice(0, most), ...(ends ? [""] : [])];
  for (const [i, character] of characters.entries()) {
    const last = i === characters.length - 1;
    const finish = last ? (ends ? "stop" : "length") : undefined;
    const ids = Int32Array.of(character === "" ? 0 : character.charCodeAt(0));
    const logprobs = Float32Array.of(-1);
    yield { ...at, text: character, ids, logprobs, modelLogprobs: logprobs, finish };
  }
}
