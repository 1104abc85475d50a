import type { ImportOptions } from "../../lib/feedback/imports/import-options.js";
import { type ImportReport, importRows } from "../../lib/feedback/imports/import-rows.js";
import type { JudgementValue } from "../../lib/feedback/judgement.js";
import { readItems, readJudgements } from "../../lib/feedback/read-judgements.js";
import type { FeedbackStore } from "../../lib/feedback/store/store.js";
import { PROJECT } from "./sample-project.js";

export async function imported(
  store: FeedbackStore,
  rows: readonly unknown[],
  options: ImportOptions = {},
): Promise<ImportReport> {
  return importRows({ store, project: PROJECT, source: { rows }, ...options });
}

interface Said {
  readonly prompt: unknown;
  /** Values with the answers' texts for positions. */
  readonly said: unknown;
  readonly who: string;
  readonly models: readonly unknown[];
}

/** What the store holds, by texts: positions are the store's own affair. */
export async function saidIn(store: FeedbackStore, purposes: readonly ("import" | "ai")[] = ["import"]) {
  const found: Said[] = [];
  for await (const chunk of readJudgements(store.reading, { project: PROJECT, purposes })) {
    const items = await readItems(
      store.reading,
      PROJECT,
      chunk.map(({ item }) => item),
    );
    for (const { item, annotator, values, shown } of chunk) {
      const { prompt = "", answers = [] } = items.get(item) ?? {};
      const text = (place: number) => answers[shown[place] ?? -1]?.content;
      const said = values.map((value) => inTexts(value, text));
      found.push({ prompt, said, who: annotator, models: shown.map((place) => answers[place]?.model) });
    }
  }
  return found;
}

function inTexts(value: JudgementValue, text: (place: number) => unknown) {
  switch (value.kind) {
    case "pair": {
      const better = value.choice === "left" ? text(0) : value.choice === "right" ? text(1) : value.choice;
      return { better, ...(value.strength === undefined ? {} : { strength: value.strength }) };
    }
    case "ranking":
      return { tiers: value.tiers.map((tier) => tier.map(text)) };
    default:
      return { ...value, ...(value.answer === undefined ? {} : { answer: text(value.answer) }) };
  }
}

export const hhRow = {
  chosen: "\n\nHuman: Hello\n\nAssistant: Hi.\n\nHuman: Why?\n\nAssistant: Because.",
  rejected: "\n\nHuman: Hello\n\nAssistant: Hi.\n\nHuman: Why?\n\nAssistant: No.",
};

export const summarizeRow = {
  info: { id: "t3_1", post: "A long story.", title: "Story", subreddit: "tifu", site: null, article: null },
  split: "valid2",
  summaries: [
    { text: " short", policy: "sup1", note: "" },
    { text: " shorter", policy: "ppo2", note: "" },
  ],
  choice: 1,
  worker: "w7",
  batch: "batch3.json",
  extra: { confidence: 8 },
};

export const turn = (role: string, content: string) => ({ role, content });
export const arenaRow = {
  question_id: "q1",
  model_a: "alpha",
  model_b: "beta",
  winner: "model_b",
  judge: "arena_user_9",
  conversation_a: [turn("user", "2+2?"), turn("assistant", "5")],
  conversation_b: [turn("user", "2+2?"), turn("assistant", "4")],
  turn: 1,
  tstamp: 1_682_351_591.5,
};

export const argillaRow = {
  external_id: "r1",
  fields: { prompt: "Which?", response1: "one", response2: "two" },
  responses: [
    {
      user_id: "u1",
      status: "submitted",
      values: { preference: { value: "response2" }, mood: { value: "fine" } },
    },
    { user_id: "u2", status: "draft", values: { preference: { value: "response1" } } },
    { user_id: "u3", status: "discarded", values: null },
  ],
  suggestions: [{ question_name: "preference", value: "response1", agent: "gpt-4", type: "model" }],
};

export const studioRow = {
  id: 12,
  data: { prompt: "Which?", text1: "a 👍 one", text2: "two" },
  annotations: [
    {
      id: 1,
      completed_by: 5,
      lead_time: 12.5,
      was_cancelled: false,
      ground_truth: false,
      created_at: "2024-01-02T03:04:05Z",
      result: [
        { from_name: "pw", to_name: "text1", type: "pairwise", value: { selected: "left" } },
        { from_name: "stars", to_name: "text2", type: "rating", value: { rating: 4 } },
        { from_name: "why", to_name: "text1", type: "textarea", value: { text: ["clear"] } },
        {
          from_name: "bad",
          to_name: "text1",
          type: "labels",
          value: { start: 5, end: 8, text: "one", labels: ["wrong"] },
        },
      ],
    },
    { id: 2, completed_by: { id: 6 }, was_cancelled: true, ground_truth: false, result: [] },
  ],
  predictions: [
    {
      model_version: "m1",
      result: [{ from_name: "pw", to_name: "text1", type: "pairwise", value: { selected: "right" } }],
    },
  ],
};
