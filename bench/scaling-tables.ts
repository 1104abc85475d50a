// The tables of "Scaling" in docs/performance.md: the cost model beside what was measured, and what it says of processors with
// more cores. Must not measure.

import { type Processor, type Shape, stepCost } from "./cost-model.js";
import type { Kept } from "./kept.js";
import { heading, line, spread } from "./markdown-table.js";
import type { ScalingRow, StepRow } from "./scaling.js";

/** Processors of the kind that was measured, with more cores: four fifths of what memory of that kind carries. */
function larger(core: Processor): readonly Processor[] {
  return [
    { ...core, name: "16 cores, 2 channels", cores: 16, coresPerL3: 8, gbPerSecond: 72 },
    { ...core, name: "64 cores, 12 channels", cores: 64, coresPerL3: 8, gbPerSecond: 460 },
    {
      ...core,
      ...{ name: "128 cores, 2 sockets of 12 channels", cores: 128, coresPerL3: 8, gbPerSecond: 920 },
      ...{ nodes: 2, linkGbPerSecond: 200 },
    },
  ];
}

/** What a reader wants to train: the steps that were measured, and one that fills large machines. */
function shapesOf(steps: readonly StepRow[]): readonly Shape[] {
  const shapes = new Map(steps.map(({ shape }) => [shape.name, shape]));
  const [first] = shapes.values();
  if (first === undefined) return [];
  const rows = 32 * 512;
  const large = {
    ...first,
    name: "GPT-2 124M, 32 rows of 512 tokens",
    rows,
    targets: rows - 32,
    length: 512,
  };
  return [...shapes.values(), large];
}

export function scalingTables({ rows }: Kept<ScalingRow>): readonly string[] {
  const all: readonly ScalingRow[] = Object.values(rows);
  const steps = all.flatMap((row) => ("shape" in row ? [row] : []));
  const [core] = all.flatMap((row) => ("processor" in row ? [row.processor] : []));
  if (core === undefined) return ["Kernels were not measured."];
  const checked = steps.map(({ shape, threads, measured }) => {
    const { milliseconds } = stepCost(shape, core, threads);
    const ratio = (milliseconds / measured.median).toFixed(2);
    return line([shape.name, `${threads}`, `${spread(measured)} ms`, `${milliseconds.toFixed(0)} ms`, ratio]);
  });
  const predicted = larger(core).flatMap((processor) =>
    shapesOf(steps).map((shape) => predictedLine(shape, processor)),
  );
  return [
    `One core: GEMM ${core.gemmGflops} GFLOP/s, attention ${core.attentionGflops} GFLOP/s, streams ${core.gbPerSecondPerCore} GB/s; all ${core.cores}: ${core.gbPerSecond} GB/s.`,
    "",
    ...heading(["step", "threads", "measured", "the model", "model / measured"]),
    ...checked,
    "",
    ...heading(["processor", "step", "the model", "times one core", "GEMM", "memory", "waiting"]),
    ...predicted,
  ];
}

function predictedLine(shape: Shape, processor: Processor): string {
  const { milliseconds, parts } = stepCost(shape, processor, processor.cores);
  const faster = stepCost(shape, processor, 1).milliseconds / milliseconds;
  const share = (part: number) => `${((100 * part) / milliseconds).toFixed(0)} %`;
  return line([
    processor.name,
    shape.name,
    `${milliseconds.toFixed(0)} ms`,
    `${faster.toFixed(1)}x`,
    share(parts.gemm + parts.attention),
    share(parts.rows + parts.optimiser),
    share(parts.waiting),
  ]);
}
