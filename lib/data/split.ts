// Splits rows into a training and an evaluation side, all rows of a prompt on one. Must not read files or tokenise.

import { fail } from "../errors/index.js";
import { philox, randomStreams, seedKey } from "./philox.js";
import { groupOfRow, selectRows } from "./row-store.js";
import type { TokenisedRows } from "./tokenised-row.js";

/** Last word of the counter: epochs have 0 there, so that a split shares no random number with an order. */
const SPLIT = 1;

export interface SplitRowsOptions {
  readonly rows: TokenisedRows;
  /** Share of the rows that go to the evaluation side, above 0 and below 1. */
  readonly evalShare: number;
  /** 64 bits. */
  readonly seed: number | bigint;
}

export interface SplitRows {
  /** Rows keep their order on both sides. */
  readonly train: TokenisedRows;
  readonly evaluation: TokenisedRows;
}

/**
 * Prompts in the order of a random number that is a function of (seed, hash of the prompt), the first ones to the
 * evaluation side until it holds `evalShare` of the rows. The order of the rows changes nothing, and a prompt stays on
 * its side when others are added, unless it stands at the border.
 *
 * Throws ATTUNE_OPTION for a share outside (0, 1), ATTUNE_DATA when all rows belong to one prompt.
 */
export function splitRows({ rows, evalShare, seed }: SplitRowsOptions): SplitRows {
  if (!(evalShare > 0 && evalShare < 1)) {
    throw fail("ATTUNE_OPTION", `Expected evalShare above 0 and below 1 but received ${evalShare}.`);
  }
  const { order, low, high } = orderByPrompt(rows, seed);
  const sameGroup = (a: number, b: number) => low[a] === low[b] && high[a] === high[b];
  const wanted = Math.max(1, Math.round(evalShare * rows.length));
  let border = 0;
  let lastGroup = 0;
  for (let i = 1; i <= order.length; i++) {
    if (i < order.length && sameGroup(order[i - 1] ?? 0, order[i] ?? 0)) continue;
    if (border < wanted) [lastGroup, border] = [border, i];
  }
  // The last prompt must not take the training side's only rows.
  if (border === rows.length) border = lastGroup;
  if (border === 0) {
    const found = rows.length === 0 ? "there is no row" : `all ${rows.length} rows have the same one`;
    const text = `Expected rows of at least two prompts to split off an evaluation side, but ${found}.`;
    throw fail("ATTUNE_DATA", `${text} Name a file of evaluation rows instead.`);
  }
  const evaluation = order.slice(0, border).sort();
  const train = order.slice(border).sort();
  return { train: selectRows(rows, train), evaluation: selectRows(rows, evaluation) };
}

/** Positions sorted by (random word of the prompt, prompt, position), with the words of each row's prompt. */
function orderByPrompt(rows: TokenisedRows, seed: number | bigint) {
  const key = seedKey(seed);
  const low = new Uint32Array(rows.length);
  const high = new Uint32Array(rows.length);
  const words = new Uint32Array(rows.length);
  for (let position = 0; position < rows.length; position++) {
    const [first, second] = groupOfRow(rows, position) ?? [0, 0];
    low[position] = first;
    high[position] = second;
    words[position] = philox([randomStreams.shuffle, first, second, SPLIT], key)[0];
  }
  const by = (values: Uint32Array, a: number, b: number) => (values[a] ?? 0) - (values[b] ?? 0);
  const order = Int32Array.from({ length: rows.length }, (_, position) => position);
  order.sort((a, b) => by(words, a, b) || by(low, a, b) || by(high, a, b) || a - b);
  return { order, low, high };
}
