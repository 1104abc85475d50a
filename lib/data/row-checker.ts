// Checks rows one after another: the first sound row fixes the type of all. Must not read files, tokenise or count.

import { fail } from "../errors/index.js";
import { checkRow } from "./check-row.js";
import { parseRaw, type RawRow } from "./raw-rows.js";
import { typeNames } from "./row-type.js";
import type { Row, RowFormat, RowType } from "./rows.js";

export interface RowRules {
  /** Row types the trainer can use. Default: all. */
  readonly accept?: readonly RowType[];
  /**
   * Fixes the type; "auto" (default) takes that of the first sound row and asks it of all others; "hh" does so too, and
   * reads texts as transcripts of turns.
   */
  readonly format?: RowFormat;
  /** Where a prompt ends that preference rows do not name. Default "\n\nAssistant:". */
  readonly turnMark?: string;
  /** [least, most] that a rating may be. Default: any finite number. */
  readonly ratingScale?: readonly [number, number];
}

export interface RowChecker {
  /** The type of all rows, once it is known. */
  readonly type: RowType | undefined;
  /** Throws ATTUNE_DATA, ATTUNE_DATA_COLUMN or ATTUNE_DATA_JSON with the row's place. */
  check(raw: RawRow, index: number): Row;
}

const allTypes = Object.keys(typeNames) as readonly RowType[];

/** `known` = the type that earlier rows of the same data had. Throws ATTUNE_OPTION for a format not among `accept`. */
export function createRowChecker(rules: RowRules, known?: RowType): RowChecker {
  const { accept = allTypes, format = "auto", turnMark, ratingScale } = rules;
  const named = format !== "auto" && format !== "hh";
  const transcripts = format === "hh";
  let type: RowType | undefined = named ? format : known;
  if (named && !accept.includes(format)) {
    throw fail("ATTUNE_OPTION", `Expected format to be one of ${accept.join(", ")} but received ${format}.`);
  }
  const mark = {
    ...(turnMark === undefined ? {} : { turnMark }),
    ...(ratingScale === undefined ? {} : { ratingScale: checkedScale(ratingScale) }),
  };
  return {
    get type() {
      return type;
    },
    check(raw, index) {
      const { place } = raw;
      const value = parseRaw(raw);
      const row = {
        index,
        place,
        ...checkRow({ value, place, accept, type, named, transcripts, ...mark }),
      };
      type = row.type;
      return row;
    },
  };
}

function checkedScale(scale: readonly [number, number]): readonly [number, number] {
  const [least, most] = scale;
  if (Number.isFinite(least) && Number.isFinite(most) && least < most) return scale;
  const text = `Expected the rating scale to be two numbers, the smaller one first, but received ${scale.join(", ")}.`;
  throw fail("ATTUNE_OPTION", text);
}

/** Pairs whose sides are seen to be the same without a tokenizer; they teach nothing, whatever they are used for. */
export function hasIdenticalSides(row: Row): boolean {
  if (row.type !== "preference") return false;
  // Without a prompt of their own, conversations share one unless they are the same: check-row.ts leaves it empty then.
  return row.chosen === row.rejected || (Array.isArray(row.prompt) && row.prompt.length === 0);
}
