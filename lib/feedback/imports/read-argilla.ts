// Argilla's records: what people have answered, and what programs suggested, which is never taken for a person's. Both forms:
// a list of responses with their values (1.x and the server), and responses by question (2.x). Pure.

import type { RowColumns } from "../../data/index.js";
import type { FoundJudgement, FoundRow, ReaderOptions, ReadRow } from "./found-row.js";
import { mergedAsks, valuesOf } from "./gathered-answers.js";
import { type MappedFields, mappedFields } from "./mapped-fields.js";
import { mappedValue, type SaidValue } from "./mapped-values.js";
import { nestedColumns } from "./nested-columns.js";

interface Answered {
  readonly by: "people" | "ai";
  readonly who: string | undefined;
  readonly status: string;
  readonly values: ReadonlyMap<string, unknown>;
}

export const readArgilla: ReadRow = (row, options): FoundRow => {
  const fields = mappedFields(nestedColumns(row, "fields"), options.mapping);
  const all = [...responsesOf(row), ...suggestionsOf(row)];
  const found = all.map((answered) => takeAnswers(row, { answered, fields, options }));
  const asks = mergedAsks(found.flatMap(({ said }) => said));
  const id = row.name("external_id") ?? row.name("id");
  return {
    prompt: fields.prompt,
    answers: fields.answers,
    ...(asks.length === 0 ? {} : { asks }),
    judgements: found.flatMap(({ judgement }) => (judgement === undefined ? [] : [judgement])),
    passed: found.flatMap(({ passed }) => (passed === undefined ? [] : [passed])),
    unused: found.flatMap(({ unused }) => unused),
    ...(id === undefined ? {} : { metadata: { id } }),
  };
};

interface Taking {
  readonly answered: Answered;
  readonly fields: MappedFields;
  readonly options: ReaderOptions;
}

interface Taken {
  readonly said: readonly SaidValue[];
  readonly judgement?: FoundJudgement;
  readonly passed?: string;
  readonly unused: readonly string[];
}

function takeAnswers(row: RowColumns, { answered, fields, options }: Taking): Taken {
  const { by, who, status, values } = answered;
  if (status !== "submitted") return { said: [], passed: `${status} response`, unused: [] };
  const said: SaidValue[] = [];
  const unused: string[] = [];
  for (const [question, value] of values) {
    const one = mappedValue(row, { question, value, names: fields.names }, options);
    if (one !== undefined) said.push(one);
    else if (options.mapping.questions[question] !== "ignore") unused.push(question);
  }
  return {
    said,
    unused,
    ...(said.length === 0 ? {} : { judgement: { by, who, values: valuesOf(said) } }),
  };
}

function responsesOf(row: RowColumns): readonly Answered[] {
  const held = row.columns.responses ?? [];
  if (Array.isArray(held))
    return held.map((_, i) => {
      const response = nestedColumns(row, "responses", i);
      const values = response.object("values") ?? {};
      return {
        by: "people",
        who: response.name("user_id"),
        status: response.name("status") ?? "submitted",
        values: new Map(Object.entries(values).map(([name, value]) => [name, insideOf(value)])),
      };
    });
  const people = new Map<string, { status: string; values: Map<string, unknown> }>();
  for (const [question, answers] of Object.entries(row.object("responses") ?? {}))
    for (const answer of Array.isArray(answers) ? answers : [])
      if (typeof answer === "object" && answer !== null) {
        const who = String(answer.user_id ?? "");
        const own = people.get(who) ?? { status: String(answer.status ?? "submitted"), values: new Map() };
        people.set(who, own);
        own.values.set(question, answer.value);
      }
  return [...people].map(([who, own]) => ({ by: "people", who: who === "" ? undefined : who, ...own }));
}

/** One judgement for each program. */
function suggestionsOf(row: RowColumns): readonly Answered[] {
  const held = row.columns.suggestions ?? [];
  const listed: readonly (readonly [string, unknown])[] = Array.isArray(held)
    ? held.map((one: { question_name?: unknown } | null) => [String(one?.question_name ?? ""), one])
    : Object.entries(row.object("suggestions") ?? {});
  const agents = new Map<string, Map<string, unknown>>();
  for (const [question, suggestion] of listed) {
    const { agent, value } = (suggestion ?? {}) as { agent?: unknown; value?: unknown };
    if (value === undefined || value === null) continue;
    const name = typeof agent === "string" ? agent : "";
    const own = agents.get(name) ?? new Map<string, unknown>();
    agents.set(name, own);
    own.set(question, value);
  }
  return [...agents].map(([agent, values]) => ({
    by: "ai",
    who: agent === "" ? undefined : agent,
    status: "submitted",
    values,
  }));
}

/** { value } or the value itself. */
function insideOf(held: unknown): unknown {
  const wrapped = typeof held === "object" && held !== null && !Array.isArray(held) && "value" in held;
  return wrapped ? held.value : held;
}
