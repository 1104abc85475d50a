// Shows what was measured as a table for a terminal. Pure.

import type { BenchRow } from "./bench-report.js";
import type { BenchReport } from "./bench-run.js";
import { grouped, short, table } from "./format.js";

export function benchText(report: BenchReport): string {
  const { machine, versions, isa, threads, gpu, trials, peak, rows, quick } = report;
  const shares = gpu === undefined;
  const arithmetic = peak.arithmetic.map(
    ({ isa: name, dtype, gflops }) => `${name} ${dtype} ${short(gflops)}`,
  );
  const cells = rows.map((row) => [
    row.suite,
    row.op,
    row.shape,
    row.dtype,
    short(row.ms.median),
    `${short(row.ms.least)} to ${short(row.ms.most)}`,
    rateText(row),
    ...(shares ? [shareText(row)] : []),
  ]);
  const shareNotes = [
    "share: of the time that its operations take at the peak of arithmetic, or its bytes at the peak of reading, whichever is longer;",
    "what fits the caches can read faster than memory and pass 100 %.",
  ];
  const notes = [
    ...(shares ? shareNotes : []),
    ...(quick ? ["--quick: small shapes for a few milliseconds; these times mean nothing."] : []),
  ];
  return [
    `attune ${versions.attune}, ${machine}`,
    `${gpu === undefined ? isa : `${isa} on ${gpu}`}, ${threads} ${threads === 1 ? "thread" : "threads"}, ${trials} ${trials === 1 ? "trial" : "trials"}`,
    ...(shares ? [`peaks: ${arithmetic.join(", ")} GFLOP/s; read ${short(peak.readGbps)} GB/s`] : []),
    "",
    table([
      ["suite", "op", "shape", "dtype", "ms", "least to most", "rate", ...(shares ? ["share"] : [])],
      ...cells,
    ]),
    "",
    ...notes,
    "",
  ].join("\n");
}

/** Of what limits it; of whole steps tokens. */
function rateText({ gflops, gbps, tokensPerSecond, limit }: BenchRow): string {
  if (tokensPerSecond !== undefined) return `${grouped(tokensPerSecond)} tokens/s`;
  if (gbps !== undefined && (limit === "memory" || gflops === undefined)) return `${short(gbps)} GB/s`;
  return gflops === undefined ? "" : `${short(gflops)} GFLOP/s`;
}

function shareText({ limit, share }: BenchRow): string {
  if (share === undefined) return "";
  return `${(100 * share).toFixed(0)} % of ${limit}`;
}
