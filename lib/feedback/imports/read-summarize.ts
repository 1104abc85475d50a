// OpenAI's summarize-from-feedback, its comparisons: two summaries of a post or an article, which of them a worker chose, and
// how sure the worker was. Pure.

import type { RowColumns } from "../../data/index.js";
import type { JudgementValue } from "../judgement.js";
import type { ReadRow } from "./found-row.js";
import { nestedColumns, requireText } from "./nested-columns.js";

export const readSummarize: ReadRow = (row) => {
  const info = nestedColumns(row, "info");
  const summaries = row.objects("summaries") ?? [];
  if (summaries.length !== 2)
    throw row.bad("ATTUNE_DATA", 'two summaries in column "summaries"', `${summaries.length}`, "summaries");
  const answers = summaries.map((_, i) => {
    const summary = nestedColumns(row, "summaries", i);
    const policy = summary.name("policy");
    return {
      content: requireText(summary, "text").trim(),
      ...(policy === undefined ? {} : { model: policy }),
    };
  });
  const choice = row.number("choice", { min: 0, max: 1, whole: true });
  const batch = row.name("batch");
  const id = info.name("id");
  const split = splitOf(row);
  return {
    prompt: promptOf(row, info),
    answers,
    asks: [{ kind: "pair", strength: true }],
    judgements: [
      {
        by: "people",
        who: row.name("worker"),
        key: batch,
        values: [pairOf(choice, confidenceOf(row))],
      },
    ],
    ...(split === undefined ? {} : { split }),
    metadata: { ...(id === undefined ? {} : { id }), ...(batch === undefined ? {} : { batch }) },
  };
};

/** The post as the paper puts it to the model, or the article. */
function promptOf(row: RowColumns, info: RowColumns): string {
  if (info.has("post")) {
    const subreddit = info.name("subreddit");
    const head = subreddit === undefined ? "" : `SUBREDDIT: r/${subreddit}\n`;
    const title = info.has("title") ? `TITLE: ${requireText(info, "title")}\n` : "";
    return `${head}${title}POST: ${requireText(info, "post")}\nTL;DR:`;
  }
  if (info.has("article")) {
    const title = info.has("title") ? `TITLE: ${requireText(info, "title")}\n` : "";
    return `${title}ARTICLE: ${requireText(info, "article")}\nTL;DR:`;
  }
  const found = `columns ${Object.keys(info.columns).join(", ")}`;
  throw row.bad("ATTUNE_DATA_COLUMN", 'a "post" or an "article" in column "info"', found, "info");
}

function confidenceOf(row: RowColumns): number | undefined {
  if (!row.has("extra")) return undefined;
  const extra = nestedColumns(row, "extra");
  return extra.has("confidence") ? extra.number("confidence", { min: 1, max: 9 }) : undefined;
}

/** 1 to 9, the middle undecided; one that points to the other side than the choice is no measure of strength. */
function pairOf(choice: number, confidence: number | undefined): JudgementValue {
  const lean = confidence === undefined ? 0 : confidence - 5;
  const agrees = choice === 0 ? lean < 0 : lean > 0;
  const strength = agrees ? Math.min(3, Math.ceil(Math.abs(lean)) - 1) : undefined;
  return {
    kind: "pair",
    choice: choice === 0 ? "left" : "right",
    ...(strength === undefined ? {} : { strength }),
  };
}

/** "valid1" and "valid2" are both for validation. */
function splitOf(row: RowColumns): "train" | "valid" | "test" | undefined {
  const split = row.name("split") ?? "";
  if (split.startsWith("valid")) return "valid";
  return split === "train" || split === "test" ? split : undefined;
}
