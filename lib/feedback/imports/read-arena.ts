// Chatbot Arena: two conversations whose user's turns are the same, and who won. Pure.

import { type RowColumns, splitConversations } from "../../data/index.js";
import type { PairChoice } from "../judgement.js";
import { answerFrom, promptFrom } from "./contents.js";
import type { ReadRow } from "./found-row.js";

const choices: Readonly<Record<string, PairChoice>> = {
  model_a: "left",
  model_b: "right",
  tie: "tie",
  "tie (bothbad)": "both_bad",
  both_bad: "both_bad",
};

export const readArena: ReadRow = (row) => {
  const [a, b] = [conversationOf(row, "conversation_a"), conversationOf(row, "conversation_b")];
  const winner = row.name("winner") ?? "";
  const choice = choices[winner];
  if (choice === undefined) {
    const expected = `one of ${Object.keys(choices).join(", ")} in column "winner"`;
    throw row.bad("ATTUNE_DATA_COLUMN", expected, JSON.stringify(winner), "winner");
  }
  const { prompt, chosen, rejected } = splitConversations(a, b);
  if (prompt.length === 0)
    throw row.bad("ATTUNE_DATA", "conversations that begin with the same turn", "none", "conversation_a");
  // Two models that said the same to the end: the last turn is what was judged.
  if (chosen.length === 0 || rejected.length === 0) return "identical sides";
  const question = row.name("question_id");
  return {
    prompt: promptFrom(row, prompt, "conversation_a"),
    answers: [
      answerFrom(row, chosen, "conversation_a", { model: row.name("model_a") ?? "" }),
      answerFrom(row, rejected, "conversation_b", { model: row.name("model_b") ?? "" }),
    ],
    asks: [{ kind: "pair", strength: false }],
    judgements: [
      { ...judgeOf(row), key: question, values: [{ kind: "pair", choice }], judgedAt: timeOf(row) },
    ],
    ...(question === undefined ? {} : { metadata: { question } }),
  };
};

function conversationOf(row: RowColumns, column: string) {
  const content = row.content(column, "conversation");
  if (typeof content !== "string" && !(content instanceof Int32Array)) return content;
  throw row.bad("ATTUNE_DATA_COLUMN", `a list of { role, content } in column "${column}"`, "text", column);
}

/** A program that judges is written as [model, prompt], and "gpt4_pair" in MT-bench's file. */
function judgeOf(row: RowColumns) {
  const judge = row.texts("judge");
  const ai = Array.isArray(row.columns.judge) || judge?.[0] === "gpt4_pair";
  return { by: ai ? ("ai" as const) : ("people" as const), who: judge?.[0] };
}

/** Seconds since 1970. */
function timeOf(row: RowColumns): number | undefined {
  return row.has("tstamp") ? Math.round(row.number("tstamp", { min: 0, max: 8.64e12 }) * 1000) : undefined;
}
