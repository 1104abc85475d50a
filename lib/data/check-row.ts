// Turns one parsed JSON value into a checked row. Must not read files, tokenise or count.

import { splitImplicitPrompt } from "./implicit-prompt.js";
import { checkMessages, splitConversations } from "./message-rows.js";
import { severalAnswers } from "./ranking-columns.js";
import { RowColumns } from "./row-columns.js";
import {
  type DetectedType,
  detectRowType,
  listColumns,
  requiredColumns,
  sharedColumns,
  typeColumns,
  typeNames,
  typeUses,
  unsupportedColumn,
} from "./row-type.js";
import type { Content, RowContent, RowPlace, RowType } from "./rows.js";
import { transcriptAnswer, transcriptMessages, transcriptPrompt } from "./transcript.js";

export interface CheckRowOptions {
  readonly value: unknown;
  readonly place: RowPlace;
  /** Row types the trainer can use. */
  readonly accept: readonly RowType[];
  /** The type every row must have; undefined = told from this row's columns. */
  readonly type: RowType | undefined;
  /** Whether the user named `type`: then columns of other types are metadata. Default false. */
  readonly named?: boolean;
  readonly turnMark?: string;
  /** [least, most] that a rating may be. Default: any finite number. */
  readonly ratingScale?: readonly [number, number];
  /** Texts are transcripts that become messages (`--format hh`). Default false. */
  readonly transcripts?: boolean;
}

/**
 * Checks a row. Throws ATTUNE_DATA_COLUMN for a missing column or one of another type, ATTUNE_DATA for an empty side or
 * a row of another type; each names file, line and column, what was expected and what was found.
 */
export function checkRow(options: CheckRowOptions): RowContent {
  const row = new RowColumns(options.value, options.place);
  refuseUnsupported(row);
  const type = typeOf(row, options);
  const shared = {
    ...sharedOf(row),
    metadata: row.others([...typeColumns[type], ...sharedColumns]),
  };
  const content = { ...contentOf(row, type, options), ...shared } as RowContent;
  requireOneForm(row, content);
  return options.transcripts === true ? withMessages(row, content) : content;
}

function refuseUnsupported(row: RowColumns): void {
  const found = unsupportedColumn(row.columns);
  if (found === undefined) return;
  const { column, what } = found;
  const text = `column "${column}" (${what}), which this version does not train on`;
  throw row.bad("ATTUNE_DATA_COLUMN", "rows of text, messages or token ids", text, column);
}

function typeOf(row: RowColumns, { accept, type: wanted, named = false }: CheckRowOptions): RowType {
  const detected = judgedType(detectRowType(row.columns), row, wanted === undefined ? accept : [wanted]);
  const expected = (wanted === undefined ? accept : [wanted]).map((name) => typeNames[name]).join(" or ");
  if (wanted !== undefined) {
    // A missing column is best explained by the column's own check.
    const lacking = requiredColumns[wanted].some((column) => !row.has(column));
    const sameType = "type" in detected && detected.type === wanted;
    if (named || sameType || (lacking && "problem" in detected)) return wanted;
  }
  if ("problem" in detected) throw row.bad("ATTUNE_DATA_COLUMN", expected, detected.problem);
  if (wanted !== undefined) {
    const found = `${typeNames[detected.type]}. All rows of one data set need the same type`;
    throw row.bad("ATTUNE_DATA_COLUMN", expected, found);
  }
  if (accept.includes(detected.type)) return detected.type;
  const found = `${typeNames[detected.type]}, which ${typeUses[detected.type]}`;
  throw row.bad("ATTUNE_DATA_COLUMN", expected, found);
}

/** Where single answers are judged, one whose judgement is missing or null lacks it: its own check says so. */
function judgedType(detected: DetectedType, row: RowColumns, accept: readonly RowType[]): DetectedType {
  const isAnswer = "type" in detected && detected.type === "prompt-completion";
  if (!isAnswer || accept.includes("prompt-completion")) return detected;
  if (accept.includes("unpaired")) return { type: "unpaired" };
  return accept.includes("rating") && Object.hasOwn(row.columns, "rating") ? { type: "rating" } : detected;
}

function sharedOf(row: RowColumns) {
  const source = row.texts("source");
  const group = row.name("group");
  const tools = row.objects("tools");
  const templateVariables = row.object("chat_template_kwargs");
  return {
    weight: row.number("weight", { fallback: 1, min: 0 }),
    ...(group === undefined ? {} : { group }),
    ...(source === undefined ? {} : { source }),
    ...(tools === undefined ? {} : { tools }),
    ...(templateVariables === undefined ? {} : { templateVariables }),
  };
}

/** The columns that make the type, as fields of its row. */
function contentOf(
  row: RowColumns,
  type: RowType,
  { turnMark, ratingScale, accept }: CheckRowOptions,
): object {
  if (type === "text") return { type, text: wholeText(row) };
  if (type === "preference") return { type, ...pairOf(row, turnMark), ...judgementOf(row) };
  const ifEmpty = accept.includes("text") ? 'Without a prompt, use a "text" column' : undefined;
  const prompt = row.content("prompt", "prompt", ifEmpty);
  if (type === "prompt") return { type, prompt };
  if (type === "stepwise" || type === "ranking" || type === "best-of")
    return { type, prompt, ...severalAnswers(row, type) };
  const completion = row.content("completion", "answer");
  if (type === "prompt-completion") return { type, prompt, completion };
  if (type === "rating") {
    const axis = row.name("axis");
    const [min, max] = ratingScale ?? [];
    const scale = min === undefined || max === undefined ? {} : { min, max };
    return {
      type,
      prompt,
      completion,
      rating: row.number("rating", scale),
      ...(axis === undefined ? {} : { axis }),
    };
  }
  const other = row.has("kl_completion") ? { klCompletion: row.content("kl_completion", "answer") } : {};
  return { type, prompt, completion, good: row.boolean("label"), ...other };
}

function wholeText(row: RowColumns): Content {
  if (!row.has("messages")) return row.content("text", "conversation");
  const messages = row.content("messages", "conversation");
  if (typeof messages !== "string" && !(messages instanceof Int32Array)) return messages;
  const found = typeof messages === "string" ? "a text" : "token ids";
  throw row.bad("ATTUNE_DATA_COLUMN", 'a list of { role, content } in column "messages"', found, "messages");
}

function judgementOf(row: RowColumns) {
  const label = row.number("label", { fallback: 1, min: 0, max: 1 });
  const margin = row.number("margin", { fallback: 0, min: 0 });
  const bothBad = row.has("both_bad") && row.boolean("both_bad") ? { bothBad: true } : {};
  const names = ["ref_chosen_logps", "ref_rejected_logps"] as const;
  if (!names.some((name) => row.has(name))) return { label, margin, ...bothBad };
  const [chosen, rejected] = names.map((name) => row.number(name, { max: 0 }));
  return { label, margin, ...bothBad, referenceLogps: [chosen, rejected] };
}

function pairOf(row: RowColumns, turnMark: string | undefined) {
  const given = row.has("prompt");
  const part = given ? "answer" : "conversation";
  const chosen = row.content("chosen", part);
  const rejected = row.content("rejected", part);
  if (given) return { prompt: row.content("prompt", "prompt"), chosen, rejected };
  if (typeof chosen === "string" && typeof rejected === "string")
    return splitTexts(row, { chosen, rejected, turnMark });
  if (Array.isArray(chosen) && Array.isArray(rejected)) return splitMessages(row, chosen, rejected);
  const expected = 'a column "prompt" beside answers that are not both texts or both messages';
  throw row.bad("ATTUNE_DATA_COLUMN", expected, `columns ${listColumns(row.columns)}`, "prompt");
}

const advice = 'Add a "prompt" column';

interface TextSides {
  readonly chosen: string;
  readonly rejected: string;
  readonly turnMark: string | undefined;
}

function splitTexts(row: RowColumns, { chosen, rejected, turnMark }: TextSides) {
  // Identical sides are dropped later, with no need of a prompt.
  if (chosen === rejected) return { prompt: "", chosen, rejected };
  const split = splitImplicitPrompt({ chosen, rejected, ...(turnMark === undefined ? {} : { turnMark }) });
  if (split === undefined) {
    const expected = "chosen and rejected to begin with the same prompt";
    throw row.bad("ATTUNE_DATA", expected, `no common beginning that ends at a word. ${advice}`);
  }
  for (const side of ["chosen", "rejected"] as const) requireAnswer(row, side, split[side] === "");
  return split;
}

function splitMessages(row: RowColumns, chosen: Content, rejected: Content) {
  if (!Array.isArray(chosen) || !Array.isArray(rejected)) return { prompt: [], chosen, rejected };
  if (JSON.stringify(chosen) === JSON.stringify(rejected)) return { prompt: [], chosen, rejected };
  const split = splitConversations(chosen, rejected);
  if (split.prompt.length === 0)
    throw row.bad("ATTUNE_DATA", "chosen and rejected to begin with the same messages", `none. ${advice}`);
  for (const side of ["chosen", "rejected"] as const) {
    requireAnswer(row, side, split[side].length === 0);
    const checked = checkMessages(split[side], "answer");
    if ("messages" in checked) continue;
    const where = `behind the common messages in column "${side}"`;
    throw row.bad(checked.code, `${checked.expected} ${where}`, `${checked.found}. ${advice}`, side);
  }
  return split;
}

function requireAnswer(row: RowColumns, side: string, missing: boolean): void {
  if (!missing) return;
  const expected = `an answer after the common prompt in column "${side}"`;
  throw row.bad("ATTUNE_DATA", expected, `none: the whole side is the prompt. ${advice}`);
}

/** Text beside messages, or either beside ids, cannot be joined to one sequence. */
function requireOneForm(row: RowColumns, content: RowContent): void {
  const forms = new Map<string, string>();
  for (const [name, value] of contentsOf(content)) {
    const form = typeof value === "string" ? "text" : value instanceof Int32Array ? "token ids" : "messages";
    forms.set(form, name);
  }
  if (forms.size < 2) return;
  const found = [...forms].map(([form, name]) => `${form} in "${name}"`).join(" and ");
  throw row.bad("ATTUNE_DATA_COLUMN", "text, messages or token ids in all columns of a row", found);
}

function contentsOf(content: RowContent): readonly (readonly [string, Content])[] {
  const single = ["text", "prompt", "completion", "chosen", "rejected", "klCompletion"].flatMap((name) => {
    const value = (content as unknown as Readonly<Record<string, Content | undefined>>)[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  const several = "completions" in content ? content.completions : [];
  return [...single, ...several.map((value) => ["completions", value] as const)];
}

/** The same row with its transcripts as messages; the texts stay for models without a chat template. */
function withMessages(row: RowColumns, content: RowContent): RowContent {
  const messages: Record<string, Content> = {};
  const transcript: Record<string, string> = {};
  for (const [name, text] of contentsOf(content)) {
    if (typeof text !== "string" || name === "completions") {
      const expected = "transcripts (\\n\\nHuman: … \\n\\nAssistant: …) as text for --format hh";
      throw row.bad("ATTUNE_DATA_COLUMN", expected, `other contents in "${name}"`, name);
    }
    transcript[name] = text;
    // Identical sides are dropped later and have no prompt.
    if (text === "") messages[name] = [];
    else
      messages[name] = parseTranscript(row, {
        name,
        text,
        whole: name === "text" || transcript.prompt === "",
      });
  }
  return { ...content, ...messages, transcript } as RowContent;
}

interface TranscriptColumn {
  readonly name: string;
  readonly text: string;
  readonly whole: boolean;
}

function parseTranscript(row: RowColumns, { name, text, whole }: TranscriptColumn): Content {
  const isPrompt = name === "prompt";
  const read = isPrompt ? transcriptPrompt : whole ? transcriptMessages : transcriptAnswer;
  const parsed = read(text);
  const column = Object.hasOwn(row.columns, name) ? name : "chosen";
  if (parsed === undefined) {
    const ending = isPrompt ? ' that ends with "\\n\\nAssistant:"' : "";
    const expected = `a transcript (\\n\\nHuman: … \\n\\nAssistant: …)${ending} in column "${column}"`;
    throw row.bad(
      "ATTUNE_DATA",
      expected,
      JSON.stringify(isPrompt ? text.slice(-30) : text.slice(0, 30)),
      column,
    );
  }
  // An answer of white space, which people did write, is dropped and counted later.
  if (!isPrompt && !whole && text.trim() === "") return parsed;
  const checked = checkMessages(parsed, isPrompt ? "prompt" : whole ? "conversation" : "answer");
  if ("messages" in checked) return checked.messages;
  throw row.bad(checked.code, `${checked.expected} in column "${column}"`, checked.found, column);
}
