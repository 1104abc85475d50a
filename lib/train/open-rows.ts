// Reads the rows of a run, sets aside those that are only measured, and says what they are by hashes.
// Must not know an algorithm or a model's arithmetic.

import {
  defaultTokenCache,
  type LoadedRows,
  type LoadRowsOptions,
  loadRows,
  type RowCounts,
  type RowSource,
  splitRows,
  type TokenisedRows,
} from "../data/index.js";
import type { TrainableModel } from "../engine/contract.js";
import { AttuneError, fail } from "../errors/index.js";
import { loadTokenizer, type Tokenizer } from "../text/index.js";
import type { SharedMetrics } from "./metrics.js";
import type { RunInputs } from "./run-types.js";
import type { SharedSettings } from "./settings.js";

export interface OpenRows {
  readonly data: TokenisedRows;
  readonly counts: RowCounts;
  /** Rows that are measured and never trained on. */
  readonly evaluation: TokenisedRows | undefined;
  readonly evaluationCounts: RowCounts | undefined;
  readonly tokenizer: Tokenizer;
  /** Of rows, evaluation rows, tokenizer and template, by the names that messages use. */
  readonly identity: Readonly<Record<string, string>>;
  /** SHA-256 of the files by path, those that were loaded since included. */
  readonly files: Readonly<Record<string, string>>;
  /** Further rows of the run, with the same tokenizer, length and tolerance; they are closed with the others. */
  load(data: RowSource, rules: OpenRowsRequest<SharedMetrics>["rows"]): Promise<LoadedRows>;
  close(): void;
}

export interface OpenRowsRequest<Metrics extends SharedMetrics> {
  readonly settings: SharedSettings;
  readonly inputs: RunInputs<Metrics>;
  /** How rows become tokens, beside length and bad rows. */
  readonly rows: Pick<
    LoadRowsOptions,
    "task" | "overLength" | "format" | "assistantOnly" | "ties" | "ratingScale" | "mergeGroups"
  >;
  readonly model: TrainableModel;
  readonly maxLength: number;
  /** What a template that asks for the date is told. */
  readonly date: Date;
  readonly signal: AbortSignal;
  readonly warn: (text: string) => void;
}

/** Rows of a run; nothing stays open when it throws. */
export async function openRows<Metrics extends SharedMetrics>(
  request: OpenRowsRequest<Metrics>,
): Promise<OpenRows> {
  const { settings, inputs, model, signal } = request;
  const { chatTemplate, tokenCache, evalShare, seed } = settings;
  const tokenizer = await loadTokenizer({ path: model.source, chatTemplate, date: request.date });
  const load = async (data: RowSource, rules = request.rows) => {
    const loaded = await loadRows({
      ...rules,
      data,
      tokenizer,
      maxLength: request.maxLength,
      skipBadRows: settings.skipBadRows,
      vocabularySize: model.vocabularySize,
      tokenCache: tokenCache ?? defaultTokenCache(process.env),
      signal,
      warn: request.warn,
    });
    opened.push(loaded);
    return loaded;
  };
  const opened: LoadedRows[] = [];
  const close = () => {
    for (const { rows } of opened) rows.close();
  };
  try {
    const training = await load(inputs.data);
    const measured = inputs.evalData === undefined ? undefined : await ofEvaluation(load(inputs.evalData));
    const split = evalShare === undefined ? undefined : splitRows({ rows: training.rows, evalShare, seed });
    return {
      data: split?.train ?? training.rows,
      counts: training.counts,
      evaluation: split?.evaluation ?? measured?.rows,
      evaluationCounts: measured?.counts,
      tokenizer,
      identity: {
        rows: training.hash,
        ...(measured === undefined ? {} : { "evaluation rows": measured.hash }),
        tokenizer: tokenizer.hash,
        ...(tokenizer.chat === undefined ? {} : { "chat template": tokenizer.chat.hash }),
      },
      get files() {
        return Object.fromEntries(opened.flatMap(({ files }) => files.map(({ path, hash }) => [path, hash])));
      },
      load,
      close,
    };
  } catch (error) {
    close();
    throw error;
  }
}

/** Says of rows of which none is left that they are those of eval-data. */
async function ofEvaluation<Rows>(loading: Promise<Rows>): Promise<Rows> {
  try {
    return await loading;
  } catch (error) {
    if (!(error instanceof AttuneError) || error.code !== "ATTUNE_NO_ROWS") throw error;
    const { details = {} } = error;
    throw fail("ATTUNE_NO_ROWS", `eval-data: ${error.message}`, { cause: error, details });
  }
}

/** The default gives way to a model of fewer positions; a length that was asked for does not. Throws ATTUNE_OPTION. */
export function effectiveLength(settings: SharedSettings, given: boolean, model: TrainableModel): number {
  if (!given || settings.maxLength <= model.maxPositions)
    return Math.min(settings.maxLength, model.maxPositions);
  throw fail(
    "ATTUNE_OPTION",
    `Expected max-length to be at most ${model.maxPositions}, the positions of ${model.source}, ` +
      `but received ${settings.maxLength}.`,
  );
}

/** What is odd about rows that can be trained on. Looks only as far as the first row that has a weight. */
export function oddWeights(data: TokenisedRows): string | undefined {
  for (let row = 0; row < data.length; row++) if ((data.at(row)?.weight ?? 0) !== 0) return undefined;
  return `All ${data.length} rows have weight 0: nothing will be learned.`;
}
