// Anthropic's hh-rlhf: two transcripts that part where the answers begin. Nobody is named. Pure.

import { checkRow } from "../../data/index.js";
import { answerFrom, promptFrom } from "./contents.js";
import type { ReadRow } from "./found-row.js";

export const readHh: ReadRow = (row) => {
  const { columns: value, place } = row;
  const rules = { accept: ["preference"], type: "preference", transcripts: true } as const;
  const read = checkRow({ value, place, ...rules });
  if (read.type !== "preference") return "no pair";
  // Sides that are the same share everything and have no prompt.
  if (read.prompt.length === 0) return "identical sides";
  return {
    prompt: promptFrom(row, read.prompt, "chosen"),
    answers: [answerFrom(row, read.chosen, "chosen"), answerFrom(row, read.rejected, "rejected")],
    asks: [{ kind: "pair", strength: false }],
    judgements: [{ by: "people", values: [{ kind: "pair", choice: "left" }] }],
  };
};
