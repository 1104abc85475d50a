// The tables of docs/performance.md from what bench/results keeps: one per instruction set and processor, one line per measured
// part. What was not measured says so. Must not measure.

import type { ContentionRow } from "./contention.js";
import { type Kept, type KeptWhen, machineText, type Processor, readAllKept } from "./kept.js";
import { heading, line, spread } from "./markdown-table.js";
import { type PeerRow, peakMemory, peerRows, wantedOf } from "./peer-rows.js";
import type { KeptPeerRow } from "./peers.js";
import type { ScalingRow } from "./scaling.js";
import { scalingTables } from "./scaling-tables.js";

/** What was kept with each kind of instructions, by processor. */
export type PerProcessor<Row> = Readonly<Record<Processor, readonly Kept<Row>[]>>;

const processors: readonly Processor[] = ["avx2", "avx512"];
const titles: Readonly<Record<Processor, string>> = { avx2: "AVX2", avx512: "AVX-512" };
const missing = "not measured";

/** `peers`, `contention` or `scaling`, from the files as they are. */
export function speedMarkdown(name: string): string {
  const kept = <Row>(): PerProcessor<Row> => ({
    avx2: readAllKept<Row>(name, "avx2"),
    avx512: readAllKept<Row>(name, "avx512"),
  });
  if (name === "peers") return peersTable(kept<KeptPeerRow>());
  if (name === "contention") return contentionTable(kept<ContentionRow>());
  if (name === "scaling") return perProcessor(kept<ScalingRow>(), (_, one) => scalingTables(one));
  throw new Error(`no table of speed is called "${name}"`);
}

/** Date and commit, and the machine where it was another than the one above the table. */
const whenOf = ({ date, commit, on }: KeptWhen) => `${date}, ${commit}${on === undefined ? "" : `, ${on}`}`;

const times = (value: number | undefined) => (value === undefined ? "" : `${value}x`);

/** One table per processor, under the machine that was measured. */
function perProcessor<Row>(
  kept: PerProcessor<Row>,
  tableOf: (processor: Processor, kept: Kept<Row>) => readonly string[],
): string {
  const sections = processors.flatMap((processor) => {
    if (kept[processor].length === 0) return [[`${titles[processor]}: ${missing}.`]];
    return kept[processor].map((one) => {
      const { node, kernel } = one.machine;
      const machine = `${machineText(one.machine)}, Node ${node}, kernel ${kernel}`;
      return [`${titles[processor]}: ${machine}.`, "", ...tableOf(processor, one)];
    });
  });
  return sections.map((lines) => lines.join("\n")).join("\n\n");
}

export function peersTable(kept: PerProcessor<KeptPeerRow>): string {
  const columns = ["row", "part", "wanted", "ratio", "attune", "theirs", "when"];
  return perProcessor(kept, (processor, one) => {
    // What is missing is said where most was measured, not under every processor that had an hour.
    const most = Math.max(...kept[processor].map(({ rows }) => Object.keys(rows).length));
    const whole = Object.keys(one.rows).length === most;
    return [
      ...heading(columns),
      ...peerRows
        .filter(
          ({ name, target }) => one.rows[name] !== undefined || (whole && target[processor] !== undefined),
        )
        .flatMap((row) => peerLines(row, processor, one.rows[row.name])),
    ];
  });
}

function peerLines(row: PeerRow, processor: Processor, kept: (KeptPeerRow & KeptWhen) | undefined): string[] {
  if (kept === undefined) return [line([row.name, "", times(row.target[processor]), missing, "", "", ""])];
  const wanted = (part: string) => times(wantedOf(row, part)[processor]);
  const parts = Object.entries(kept.parts).map(([part, { ours, theirs, ratio }]) => {
    const both = [ours, theirs].map(({ median }) => row.shown(part, median));
    return [part.replaceAll("_", " "), wanted(part), spread(ratio), ...both];
  });
  const { peakMb } = kept;
  const peak = [peakMb?.ours, peakMb?.theirs].map((one) => `${one?.median} MB`);
  const memory = peakMb && Number((peakMb.theirs.median / peakMb.ours.median).toPrecision(3));
  const all =
    memory === undefined ? parts : [...parts, [peakMemory, wanted(peakMemory), `${memory}`, ...peak]];
  return all.map((cells, i) => line([i === 0 ? row.name : "", ...cells, whenOf(kept)]));
}

export function contentionTable(kept: PerProcessor<ContentionRow>): string {
  const columns = ["what", "at most", "times as long", "alone", "beside a busy process", "when"];
  return perProcessor(kept, (_, { rows }) => [
    ...heading(columns),
    ...Object.values(rows).map(({ what, limit, slowdown, quiet, busy, ...when }) =>
      line([what, times(limit), spread(slowdown), `${quiet.median} ms`, `${busy.median} ms`, whenOf(when)]),
    ),
  ]);
}
