// A prompt and its answer of any form -> the ids that a reward model is trained on: text and messages end with EOS.
// Must not know models or scores.

import { encodeRow } from "../data/index.js";
import { fail } from "../errors/index.js";
import { type ChatMessage, startOnce, type Tokenizer } from "../text/index.js";
import type { Prompt } from "./generate.js";
import { wrongId } from "./logprobs.js";

/**
 * Text (an answer's EOS is added), messages (rendered by the chat template; a text answer to messages is an assistant's
 * message), or token ids, which are taken as they are: an answer's should end with EOS, where training had it.
 */
export interface ScoreRow {
  readonly prompt: Prompt;
  readonly completion: Prompt;
}

export interface ScoreIds {
  readonly prompt: Int32Array;
  readonly completion: Int32Array;
}

type Side = string | Int32Array | readonly ChatMessage[];

/** Throws ATTUNE_DATA naming the row, and what the tokenizer and its chat template throw. */
export async function scoreIds(
  row: ScoreRow,
  index: number,
  tokenizer: () => Promise<Tokenizer>,
): Promise<ScoreIds> {
  const prompt = sideOf(row?.prompt, "prompt", index);
  const completion = sideOf(row?.completion, "completion", index);
  const ids = await encoded(prompt, completion, index, tokenizer);
  if (ids.prompt.length > 0) return ids;
  throw fail("ATTUNE_DATA", `Row ${index}: expected at least one prompt token but there is none.`);
}

async function encoded(
  prompt: Side,
  completion: Side,
  index: number,
  tokenizer: () => Promise<Tokenizer>,
): Promise<ScoreIds> {
  if (prompt instanceof Int32Array && completion instanceof Int32Array) return { prompt, completion };
  const loaded = await tokenizer();
  if (completion instanceof Int32Array) {
    // Text keeps the white space at its end: there is no text behind it to which that could go.
    const ids = typeof prompt === "string" ? startOnce(loaded, loaded.encode(prompt)) : undefined;
    return { prompt: ids ?? together(prompt, "", loaded).prompt, completion };
  }
  if (prompt instanceof Int32Array) {
    const said = typeof completion === "string" ? together("a", completion, loaded).completion : undefined;
    if (said !== undefined) return { prompt, completion: said };
    const text = `Row ${index}: expected a text or token ids as completion of a prompt of token ids but received messages, whose template needs the prompt's.`;
    throw fail("ATTUNE_DATA", text, { details: { row: index, column: "completion" } });
  }
  if (typeof prompt === "string" && typeof completion !== "string") {
    const text = `Row ${index}: expected messages as prompt of a completion of messages but received a text.`;
    throw fail("ATTUNE_DATA", text, { details: { row: index, column: "prompt" } });
  }
  return together(prompt, completion, loaded);
}

/** Both as training tokenises them. */
function together(prompt: Side, completion: Side, tokenizer: Tokenizer): ScoreIds {
  const answer =
    typeof prompt === "string" || typeof completion !== "string"
      ? completion
      : [{ role: "assistant", content: completion }];
  const { prompt: ids, completions } = encodeRow({
    row: {
      type: "prompt-completion",
      prompt,
      completion: answer,
      index: 0,
      place: { file: "", line: 0 },
      weight: 1,
      metadata: {},
    },
    tokenizer,
    task: "sft",
    assistantOnly: undefined,
  });
  return { prompt: ids, completion: completions[0] ?? new Int32Array(0) };
}

function sideOf(value: unknown, column: "prompt" | "completion", index: number): Side {
  if (typeof value === "string") return value;
  const refuse = (what: string) => {
    const text = `Row ${index}: expected ${column} to be a text, messages or token ids but received ${what}.`;
    return fail("ATTUNE_DATA", text, { details: { row: index, column } });
  };
  if (typeof value !== "object" || value === null || !(Symbol.iterator in value)) throw refuse(String(value));
  const list: readonly unknown[] = [...(value as Iterable<unknown>)];
  if (list.length > 0 && list.every(isMessage)) return list;
  const wrong = wrongId(list);
  if (wrong === undefined) return Int32Array.from(list as readonly number[]);
  throw refuse(wrong);
}

function isMessage(value: unknown): value is ChatMessage {
  return typeof value === "object" && value !== null && "role" in value && typeof value.role === "string";
}
