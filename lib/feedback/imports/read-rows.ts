// Rows for training as attune and TRL write them: what they say becomes judgements, and rows without a judgement become items
// to be judged. Pure.

import { checkRow, type RowColumns, type RowContent } from "../../data/index.js";
import type { JudgementValue } from "../judgement.js";
import { answerFrom, promptFrom } from "./contents.js";
import type { FoundJudgement, FoundRow, ReaderOptions, ReadRow } from "./found-row.js";
import { ratingAsk } from "./rating-ask.js";

const accept = [
  ...(["preference", "unpaired", "ranking", "best-of", "rating"] as const),
  ...(["prompt-completion", "prompt"] as const),
];

export const readRowsForTraining: ReadRow = (row, options) => {
  const read = checkRow({ value: row.columns, place: row.place, accept, type: undefined });
  const found = foundIn(row, read, options);
  if (typeof found === "string") return found;
  const metadata = {
    ...read.metadata,
    ...found.metadata,
    ...(read.source === undefined ? {} : { source: read.source }),
  };
  return { ...found, ...(Object.keys(metadata).length === 0 ? {} : { metadata }) };
};

function foundIn(row: RowColumns, read: RowContent, options: ReaderOptions): FoundRow | string {
  switch (read.type) {
    case "preference":
      return pairIn(row, read);
    case "ranking":
    case "best-of":
      return rankingIn(row, read);
    case "unpaired":
      return {
        ...answered(row, read),
        asks: [{ kind: "thumb" }],
        judgements: people([{ kind: "thumb", answer: 0, up: read.good }]),
      };
    case "rating": {
      const axis = read.axis ?? "rating";
      return {
        ...answered(row, read),
        asks: [ratingAsk(row, { axis, value: read.rating, scale: options.ratingScale })],
        judgements: people([{ kind: "rating", answer: 0, axis, value: read.rating }]),
      };
    }
    case "prompt-completion":
      return { ...answered(row, read), asks: [{ kind: "thumb" }], judgements: [] };
    case "prompt":
      // Nothing to judge yet: somebody writes the answer.
      return {
        prompt: promptFrom(row, read.prompt, "prompt"),
        answers: [{ content: "" }],
        asks: [{ kind: "edit", required: true }],
        judgements: [],
      };
    default:
      return "rows of another type";
  }
}

function people(values: readonly JudgementValue[]): readonly FoundJudgement[] {
  return [{ by: "people", values }];
}

function answered(row: RowColumns, read: RowContent & { type: "unpaired" | "rating" | "prompt-completion" }) {
  return {
    prompt: promptFrom(row, read.prompt, "prompt"),
    answers: [answerFrom(row, read.completion, "completion")],
  };
}

function pairIn(row: RowColumns, read: RowContent & { type: "preference" }): FoundRow | string {
  const same = JSON.stringify(read.chosen) === JSON.stringify(read.rejected);
  if (same || read.prompt.length === 0) return "identical sides";
  const { label } = read;
  const choice =
    read.bothBad === true ? "both_bad" : label > 0.5 ? "left" : label < 0.5 ? "right" : ("tie" as const);
  return {
    prompt: promptFrom(row, read.prompt, "prompt"),
    answers: [answerFrom(row, read.chosen, "chosen"), answerFrom(row, read.rejected, "rejected")],
    asks: [{ kind: "pair", strength: false }],
    judgements: people([{ kind: "pair", choice }]),
    // How sure, and how much better, is no choice of a person: kept beside.
    metadata: {
      ...([0, 0.5, 1].includes(label) ? {} : { label }),
      ...(read.margin === 0 ? {} : { margin: read.margin }),
    },
  };
}

function rankingIn(row: RowColumns, read: RowContent & { type: "ranking" | "best-of" }): FoundRow {
  const ranks = [...new Set(read.ranks)].sort((a, b) => a - b);
  const tiers = ranks.map((rank) => read.ranks.flatMap((own, place) => (own === rank ? [place] : [])));
  // The last rank is that of answers without a place, where some have none.
  const unplaced = read.placed !== undefined && read.placed < read.ranks.length;
  const placed = unplaced ? tiers.slice(0, -1) : tiers;
  return {
    prompt: promptFrom(row, read.prompt, "prompt"),
    answers: read.completions.map((completion) => answerFrom(row, completion, "completions")),
    asks: [{ kind: "ranking", ...(unplaced ? { top: placed.flat().length } : {}) }],
    judgements: people([{ kind: "ranking", tiers: placed }]),
  };
}
