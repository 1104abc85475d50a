// The tables of docs/performance.md from what bench/results keeps: one line per measured part, the two kinds of processors
// beside each other. What was not measured says so. Must not measure.

import type { Spread } from "../lib/cli/bench-numbers.js";
import type { ContentionRow } from "./contention.js";
import { type Kept, type KeptWhen, type Processor, readKept } from "./kept.js";
import { type PeerRow, peerRows } from "./peer-rows.js";
import type { KeptPeerRow } from "./peers.js";

/** What was kept of each kind of processor; undefined: nothing. */
export type PerProcessor<Row> = Readonly<Record<Processor, Kept<Row> | undefined>>;

const processors: readonly Processor[] = ["avx2", "avx512"];
const titles: Readonly<Record<Processor, string>> = { avx2: "AVX2", avx512: "AVX-512" };
const missing = "not measured";

/** `peers` or `contention`, from the files as they are. */
export function speedMarkdown(name: string): string {
  const kept = <Row>(): PerProcessor<Row> => ({
    avx2: readKept<Row>(name, "avx2"),
    avx512: readKept<Row>(name, "avx512"),
  });
  if (name === "peers") return peersTable(kept<KeptPeerRow>());
  if (name === "contention") return contentionTable(kept<ContentionRow>());
  throw new Error(`no table of speed is called "${name}"`);
}

const spread = ({ median, least, most }: Spread) => `${median} (${least} to ${most})`;
const line = (cells: readonly string[]) =>
  `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;

function heading(columns: readonly string[], perProcessor: readonly string[]): readonly string[] {
  const all = [
    ...columns,
    ...processors.flatMap((one) => perProcessor.map((name) => `${titles[one]}: ${name}`)),
  ];
  return [line(all), line(all.map(() => "---"))];
}

/** Which machines the columns are. */
function machines<Row>(kept: PerProcessor<Row>): readonly string[] {
  return processors.map((one) => {
    const machine = kept[one]?.machine;
    const text =
      machine === undefined
        ? missing
        : `${String(machine.line)}; ${String(machine.isa)}, Node ${String(machine.node)}, kernel ${String(machine.kernel)}`;
    return `- ${titles[one]}: ${text}`;
  });
}

export function peersTable(kept: PerProcessor<KeptPeerRow>): string {
  const columns = ["row", "part"];
  const lines = peerRows.flatMap((row) =>
    partsOf(row, kept).map((part, i) => peerLine({ row, part, first: i === 0, kept })),
  );
  return [
    ...machines(kept),
    "",
    ...heading(columns, ["wanted", "ratio", "attune, theirs", "date"]),
    ...lines,
  ].join("\n");
}

/** In the order of measurement; a row that was measured nowhere has one line. */
function partsOf({ name }: PeerRow, kept: PerProcessor<KeptPeerRow>): readonly string[] {
  const parts = new Set(processors.flatMap((one) => Object.keys(kept[one]?.rows[name]?.parts ?? {})));
  return parts.size === 0 ? [""] : [...parts];
}

interface PeerLine {
  readonly row: PeerRow;
  readonly part: string;
  /** Says what the row is. */
  readonly first: boolean;
  readonly kept: PerProcessor<KeptPeerRow>;
}

function peerLine({ row, part, first, kept }: PeerLine): string {
  const cells = processors.flatMap((one) => {
    const target = row.target[one];
    const found = kept[one]?.rows[row.name];
    const measured = found?.parts[part];
    const wanted = target === undefined ? "" : `${target}x`;
    if (found === undefined || measured === undefined) return [wanted, missing, "", ""];
    const { ours, theirs, ratio } = measured;
    const both = [ours, theirs].map(({ median }) => row.shown(part, median)).join(", ");
    return [wanted, spread(ratio), both, found.date];
  });
  return line([first ? `\`${row.name}\`: ${row.what}` : "", part, ...cells]);
}

export function contentionTable(kept: PerProcessor<ContentionRow>): string {
  const names = [...new Set(processors.flatMap((one) => Object.keys(kept[one]?.rows ?? {})))];
  const lines = names.map((name) => contentionLine(processors.map((one) => kept[one]?.rows[name])));
  const columns = heading(["what"], ["at most", "times as long", "ms alone, beside it", "date"]);
  const none = line([missing, ...processors.flatMap(() => ["", missing, "", ""])]);
  return [...machines(kept), "", ...columns, ...(lines.length === 0 ? [none] : lines)].join("\n");
}

function contentionLine(rows: readonly ((ContentionRow & KeptWhen) | undefined)[]): string {
  const cells = rows.flatMap((row) =>
    row === undefined
      ? ["", missing, "", ""]
      : [
          row.limit === undefined ? "" : `${row.limit}x`,
          spread(row.slowdown),
          `${row.quiet.median}, ${row.busy.median}`,
          row.date,
        ],
  );
  return line([rows.find((row) => row !== undefined)?.what ?? "", ...cells]);
}
