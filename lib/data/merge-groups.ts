// Puts pairs of one prompt together: a row with every answer once, and what was judged between them.
// Must not hold rows: it keeps a few words for each and reads them again when asked.

import { createHash } from "node:crypto";
import { sameIds } from "./fit-length.js";
import { targetsOfRow, trunkRowsOf } from "./pack.js";
import { groupOfRow, type RowStore, sizeOfRow } from "./row-store.js";
import type { JudgedPair, RowSize, TokenisedRow } from "./tokenised-row.js";

/**
 * Rows that share prompt and `promptHash` (their `group`, or the prompt itself) as one, at the place of the first. Pairs
 * become rows with `pairs`, also where one stands alone; other rows stay as they are. Closing it closes the rows.
 */
export function mergeGroups(rows: RowStore): RowStore {
  const groups = groupsOf(rows);
  const read = (group: number) =>
    mergedRow(Array.from(groups.members(group), (position) => rows.at(position)));
  const sizes = sizesOf(rows, groups, read);
  const has = (group: number) => Number.isInteger(group) && group >= 0 && group < groups.length;
  return {
    length: groups.length,
    at: (position) => {
      const group = position < 0 ? groups.length + position : position;
      return has(group) ? read(group) : undefined;
    },
    sizeAt: (group) =>
      has(group) ? { trunkRows: sizes[2 * group] ?? 0, targets: sizes[2 * group + 1] ?? 0 } : undefined,
    groupAt: (group) => (has(group) ? groupOfRow(rows, groups.members(group)[0] ?? 0) : undefined),
    *[Symbol.iterator]() {
      for (let group = 0; group < groups.length; group++) {
        const row = read(group);
        if (row !== undefined) yield row;
      }
    },
    close: () => rows.close(),
  };
}

interface Groups {
  readonly length: number;
  /** Positions of a group's rows, in order. */
  members(group: number): Int32Array;
}

/** Groups in the order of their first rows. */
function groupsOf(rows: RowStore): Groups {
  const keys = new Float64Array(rows.length);
  for (let position = 0; position < rows.length; position++) keys[position] = keyOf(rows.at(position));
  const order = Int32Array.from(keys, (_, position) => position);
  const by = (a: number, b: number) => (keys[a] ?? 0) - (keys[b] ?? 0) || a - b;
  order.sort(by);
  // [rows] the first row of each row's group.
  const first = new Int32Array(rows.length);
  for (const [i, position] of order.entries()) {
    const before = order[i - 1];
    const joins = before !== undefined && keys[before] === keys[position];
    first[position] = joins ? (first[before] ?? 0) : position;
  }
  order.sort((a, b) => (first[a] ?? 0) - (first[b] ?? 0) || a - b);
  const starts = Int32Array.from(order.keys()).filter((i) => first[order[i] ?? 0] === order[i]);
  return {
    length: starts.length,
    members: (group) => order.subarray(starts[group], starts[group + 1] ?? order.length),
  };
}

/** 52 bits of a hash: a whole number that a double holds. Rows that are no pairs join nobody. */
function keyOf(row: TokenisedRow | undefined): number {
  const hash = createHash("sha256");
  if (row !== undefined) {
    hash.update(row.promptHash);
    hash.update(new Uint8Array(row.prompt.buffer, row.prompt.byteOffset, row.prompt.byteLength));
    if (!isPair(row)) hash.update(` alone ${row.index} ${row.place.line}`);
  }
  const digest = hash.digest();
  return digest.readUInt32LE(0) * 2 ** 20 + (digest.readUInt32LE(4) >>> 12);
}

function isPair({ completions, ranks, stepLabels }: TokenisedRow): boolean {
  return completions.length === 2 && ranks === undefined && stepLabels === undefined;
}

/** [groups, 2] trunk rows and targets. */
function sizesOf(
  rows: RowStore,
  groups: Groups,
  read: (group: number) => TokenisedRow | undefined,
): Int32Array {
  const sizes = new Int32Array(2 * groups.length);
  for (let group = 0; group < groups.length; group++) {
    const members = groups.members(group);
    const size: RowSize | undefined =
      members.length === 1 ? sizeOfRow(rows, members[0] ?? 0) : sizeOf(read(group));
    sizes.set([size?.trunkRows ?? 0, size?.targets ?? 0], 2 * group);
  }
  return sizes;
}

function sizeOf(row: TokenisedRow | undefined): RowSize | undefined {
  return row && { trunkRows: trunkRowsOf(row), targets: targetsOfRow(row) };
}

/** One row of a group; its weight is 1, since every pair keeps its own. */
function mergedRow(found: readonly (TokenisedRow | undefined)[]): TokenisedRow | undefined {
  const rows = found.filter((row) => row !== undefined);
  const [first] = rows;
  if (first === undefined || !isPair(first)) return first;
  const completions: Int32Array[] = [];
  const numberOf = (ids: Int32Array) => {
    const known = completions.findIndex((other) => sameIds(other, ids));
    return known < 0 ? completions.push(ids) - 1 : known;
  };
  const pairs = rows.map(({ completions: [chosen, rejected], label, margin, weight }): JudgedPair => {
    const [better, worse] = [numberOf(chosen ?? new Int32Array()), numberOf(rejected ?? new Int32Array())];
    return { better, worse, label, margin, weight };
  });
  const sources = [...new Set(rows.flatMap(({ source = [] }) => source))];
  const { referenceLogps: _, masks: __, source: ___, ...shared } = first;
  return {
    ...shared,
    completions,
    pairs,
    weight: 1,
    label: 1,
    margin: 0,
    truncated: rows.some(({ truncated }) => truncated),
    ...(sources.length === 0 ? {} : { source: sources }),
  };
}
