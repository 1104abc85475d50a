// Which fields of a record are the prompt and the answers: as somebody says, or by the names that people give them. Pure.

import type { RowColumns } from "../../data/index.js";
import type { FeedbackContent, TextAnswer } from "../judgement.js";
import { answerFrom, promptFrom } from "./contents.js";
import type { ImportMapping } from "./import-options.js";

const promptNames = ["prompt", "instruction", "question", "input", "query", "context"];
const answerName =
  /^(?:response|answer|completion|output|generation|generated|reply|summary|text|chosen|rejected)[-_ ]?(?:\d+|[a-d])?$/i;

export interface MappedFields {
  readonly prompt: FeedbackContent;
  readonly answers: readonly TextAnswer[];
  /** By place: how values name the answers. */
  readonly names: readonly string[];
}

/** @throws ATTUNE_DATA_COLUMN where no field is a prompt, or none an answer */
export function mappedFields(fields: RowColumns, mapping: ImportMapping): MappedFields {
  const present = Object.keys(fields.columns).filter((name) => fields.has(name));
  const promptField = mapping.prompt ?? promptNames.find((name) => present.includes(name));
  if (promptField === undefined) {
    const found = `fields ${present.join(", ")}. Name the one: --prompt-field`;
    throw fields.bad("ATTUNE_DATA_COLUMN", `a field ${promptNames.join(", ")}`, found, "prompt");
  }
  const prompt = promptFrom(fields, fields.content(promptField, "prompt"), promptField);
  const answerFields =
    mapping.answers ?? present.filter((name) => name !== promptField && answerName.test(name));
  const listed = answerFields.length === 0 ? listedAnswers(fields, present) : undefined;
  if (listed !== undefined) return { prompt, ...listed };
  if (answerFields.length === 0) {
    const found = `fields ${present.join(", ")}. Name them: --answer-fields`;
    throw fields.bad("ATTUNE_DATA_COLUMN", "fields such as response1 and response2", found, "answers");
  }
  const answers = answerFields.map((name) => answerFrom(fields, fields.content(name, "answer"), name));
  return { prompt, answers, names: answerFields };
}

/** A list of { id, body } or { id, text }, as Label Studio ranks them. */
function listedAnswers(fields: RowColumns, present: readonly string[]) {
  for (const name of present) {
    const list: unknown = fields.columns[name];
    if (!Array.isArray(list) || list.length === 0) continue;
    const read = list.map((one: { id?: unknown; body?: unknown; text?: unknown } | null) => ({
      id: one?.id,
      text: one?.body ?? one?.text,
    }));
    if (read.some(({ id, text }) => id === undefined || typeof text !== "string")) continue;
    return {
      answers: read.map(({ text }) => ({ content: String(text) })),
      names: read.map(({ id }) => String(id)),
    };
  }
  return undefined;
}
