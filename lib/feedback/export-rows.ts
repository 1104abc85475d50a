// Turns judgements into the rows that trainers read. Every row names the judgements behind it, and people by pseudonyms.
// Repeats give none, nor do items whose right answer is known, however they came to be judged; programs' judgements only where
// they are asked for. Must not write.

import { fail } from "../errors/index.js";
import { changedItems } from "./exports/changed-items.js";
import {
  type ExportKind,
  type ExportOptions,
  exportOptions,
  type ReadExportOptions,
} from "./exports/export-options.js";
import { leftOut } from "./exports/left-out.js";
import { editRows, pairRows, rankingPairRows } from "./exports/pair-rows.js";
import { policyLags } from "./exports/policy-lags.js";
import { pseudonymsOf } from "./exports/pseudonyms.js";
import { ratingPairRows } from "./exports/rating-pairs.js";
import type { ExportedRow, Making } from "./exports/row-parts.js";
import { segmentRows } from "./exports/segment-rows.js";
import { singleRows } from "./exports/single-rows.js";
import { peopleFacts } from "./people.js";
import {
  type ReadItem,
  type ReadJudgement,
  type ReadJudgements,
  readItems,
  readJudgements,
} from "./read-judgements.js";
import type { Database } from "./store/tables.js";
import { textItem } from "./text-item.js";

export {
  type ConsensusMode,
  consensusModes,
  type ExportKind,
  type ExportOptions,
  exportKinds,
  exportOptions,
} from "./exports/export-options.js";
export type { ExportedRow } from "./exports/row-parts.js";

/** Options that may be undefined are as if they were not there. */
export type ExportRows = ExportOptions & {
  readonly reading: Database;
  readonly project: string;
};

type OfProject = Omit<Making, "item" | "judgements">;

/** Options are checked at once, the project at the first row. @throws ATTUNE_OPTION, ATTUNE_NOT_FOUND */
export function exportRows({ reading, project, ...given }: ExportRows): AsyncGenerator<ExportedRow> {
  return rowsOfProject({ reading, project }, readOptions(given));
}

async function* rowsOfProject(
  store: { readonly reading: Database; readonly project: string },
  options: ReadExportOptions,
): AsyncGenerator<ExportedRow> {
  const { reading, project } = store;
  const { simulated } = options;
  const making: OfProject = {
    options,
    pseudonym: await pseudonymsOf(reading, project),
    lags: await policyLags(reading, project),
    ...(isOfPairs(options.kind) ? { facts: await peopleFacts(reading, project, { simulated }) } : {}),
  };
  const told = { items: new Set<string>(), prompts: new Set<string>() };
  const purposes = options.ai ? (["work", "import", "ai"] as const) : (["work", "import"] as const);
  for await (const chunk of judgementsToTell(reading, { project, purposes, simulated }, options)) {
    const items = await readItems(
      reading,
      project,
      chunk.map(({ item }) => item),
    );
    for (const judgement of chunk) {
      const item = items.get(judgement.item);
      if (item === undefined || !isWanted(options, item)) continue;
      yield* rowsOf({ ...making, ...store, item, told }, judgement);
    }
  }
}

/** All of them, or those of items that have changed: what is told of an item is told whole. */
async function* judgementsToTell(
  reading: Database,
  of: ReadJudgements,
  { since = 0, ratingGap }: ReadExportOptions,
): AsyncGenerator<readonly ReadJudgement[]> {
  if (since === 0) {
    yield* readJudgements(reading, of);
    return;
  }
  const ofPrompts = ratingGap !== undefined;
  for await (const items of changedItems(reading, { project: of.project, since, ofPrompts }))
    yield* readJudgements(reading, { ...of, item: items });
}

function readOptions(given: Omit<ExportRows, "reading" | "project">): ReadExportOptions {
  const read = exportOptions.safeParse(given);
  if (read.success) return read.data;
  const [issue] = read.error.issues;
  const field = (issue?.path ?? []).map(String).join(".");
  throw fail("ATTUNE_OPTION", `${field || "export"}: ${issue?.message ?? "is not allowed"}`, {
    details: { field },
  });
}

/**
 * Items that were judged and give no such rows because their answers are images or clips.
 * @throws ATTUNE_OPTION
 */
export function leftOutItems({ reading, project, ...given }: ExportRows): Promise<number> {
  const options = readOptions(given);
  return leftOut({ reading, project, options, isWanted: (item) => isWanted(options, item) });
}

/** What was redacted has no answers any more. A hidden check that people learn from would test nothing. */
function isWanted({ split, policy }: ReadExportOptions, { answers, split: own, gold }: ReadItem): boolean {
  if (answers.length === 0 || gold !== undefined || (split !== undefined && own !== split)) return false;
  return policy === undefined || answers.some((answer) => answer.policy === policy);
}

/** Kinds of which what several say of a pair becomes one row. */
function isOfPairs(kind: ExportKind): boolean {
  return kind === "preference" || kind === "reward" || kind === "segments";
}

interface Told extends OfProject {
  readonly reading: Database;
  readonly project: string;
  readonly item: ReadItem;
  /** Whose rows are out already. */
  readonly told: { readonly items: Set<string>; readonly prompts: Set<string> };
}

async function* rowsOf(of: Told, judgement: ReadJudgement): AsyncGenerator<ExportedRow> {
  const { options, told } = of;
  if (options.kind === "segments") {
    const judgements = await pairJudgements(of, judgement);
    if (judgements.length > 0) yield* segmentRows({ ...of, judgements });
    return;
  }
  const item = textItem(of.item);
  if (item === undefined) return;
  const alone: Making = { ...of, item, judgements: [judgement] };
  if (!isOfPairs(options.kind)) {
    yield* singleRows(alone);
    return;
  }
  yield* editRows(alone);
  if (options.rankingPairs) yield* rankingPairRows(alone);
  const { ratingGap: gap } = options;
  const rated = judgement.values.some(({ kind }) => kind === "rating");
  if (gap !== undefined && rated && judgement.purpose !== "ai" && !told.prompts.has(item.promptHash)) {
    told.prompts.add(item.promptHash);
    yield* ratingPairRows({ ...of, item, gap });
  }
  const judgements = await pairJudgements(of, judgement);
  if (judgements.length > 0) yield* pairRows({ ...alone, judgements });
}

/** Those that make one row of a pair: this one alone, or all, the first time. */
async function pairJudgements(of: Told, judgement: ReadJudgement): Promise<readonly ReadJudgement[]> {
  const { options, item, told } = of;
  if (options.consensus === "each" || judgement.purpose === "ai") return [judgement];
  if (told.items.has(item.item)) return [];
  told.items.add(item.item);
  return judgementsOf(of);
}

async function judgementsOf({ reading, project, item, options }: Told): Promise<readonly ReadJudgement[]> {
  const found: ReadJudgement[] = [];
  const { simulated } = options;
  for await (const chunk of readJudgements(reading, { project, item: item.item, simulated }))
    found.push(...chunk);
  return found;
}
