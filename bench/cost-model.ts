// What a training step costs on a processor of n cores: each op is as slow as its arithmetic, cut into tasks, or as the memory
// that it must move, and ends with all threads waiting for the last. Pure; must not measure anything.

export interface Processor {
  readonly name: string;
  readonly cores: number;
  /** GEMM in L2, one core. */
  readonly gflopsPerCore: number;
  /** Reading, one core and all of them. */
  readonly gbPerSecondPerCore: number;
  readonly gbPerSecond: number;
  /** From the last task of one op to the first of the next, with n threads. */
  readonly hand: (threads: number) => number;
}

export interface Shape {
  readonly name: string;
  readonly layers: number;
  readonly width: number;
  readonly qkvWidth: number;
  readonly mlpWidth: number;
  /** Of the map up: twice the MLP's width where a gate stands beside it. */
  readonly upWidth: number;
  readonly heads: number;
  readonly headWidth: number;
  readonly vocabulary: number;
  /** Rows computed, rows with a target, and the length of a typical sequence. */
  readonly rows: number;
  readonly targets: number;
  readonly length: number;
  /** Forwards of a reference beside the policy's. */
  readonly references: number;
}

interface Op {
  readonly kind: "gemm" | "attention" | "rows" | "optimiser";
  readonly gflop: number;
  readonly gbyte: number;
  readonly tasks: number;
  readonly times: number;
}

const FLOAT = 4;
/** Rows of a GEMM's micropanel, columns of a panel, and tasks that a GEMM is cut into (native/cpu/gemm_run.h). */
const MICROPANEL = 12;
const PANEL = 32;

/** So many threads, so many tasks at least where the shape allows it. */
export function gemmTasks(m: number, n: number, threads: number): number {
  const wanted = Math.max(64, 8 * threads);
  const panels = Math.ceil(n / PANEL);
  const group = Math.min(8, Math.max(1, Math.ceil(panels / wanted)));
  const groups = Math.ceil(panels / group);
  const most = Math.ceil(Math.ceil(m / MICROPANEL) / 4);
  return groups * Math.min(most, Math.max(1, Math.ceil(wanted / groups)));
}

/** C[m,n] = A[m,k] B[k,n], and A's packing. */
function gemm(m: number, n: number, k: number, times: number, threads: number): Op[] {
  const pack = rowsOp(m * k * 2, times);
  const moved = FLOAT * 1e-9 * (m * k + k * n + 2 * m * n);
  return [
    pack,
    { kind: "gemm", gflop: 2e-9 * m * n * k, gbyte: moved, tasks: gemmTasks(m, n, threads), times },
  ];
}

function rowsOp(values: number, times: number, kind: Op["kind"] = "rows"): Op {
  return { kind, gflop: 0, gbyte: FLOAT * 1e-9 * values, tasks: Number.POSITIVE_INFINITY, times };
}

function attention(shape: Shape, products: number, times: number): Op {
  const { rows, heads, headWidth, length } = shape;
  // Queries see half of their sequence; tasks are about 64 queries of a head.
  const gflop = 1e-9 * products * rows * length * heads * headWidth;
  return { kind: "attention", gflop, gbyte: 0, tasks: heads * Math.ceil(rows / 64), times };
}

/** Every op of a step over `shape`, with all weights trained. */
export function stepOps(shape: Shape, threads: number): readonly Op[] {
  const { layers, width, qkvWidth, mlpWidth, upWidth, vocabulary, rows, targets, references } = shape;
  const maps: readonly (readonly [n: number, k: number])[] = [
    [qkvWidth, width],
    [width, width],
    [upWidth, width],
    [width, mlpWidth],
  ];
  const forwards = layers * (1 + references);
  const parameters = layers * maps.reduce((sum, [n, k]) => sum + n * k, 0) + vocabulary * width;
  const trunk = maps.flatMap(([n, k]) => [
    ...gemm(rows, n, k, forwards, threads),
    ...gemm(rows, k, n, layers, threads), // input's gradient
    ...gemm(k, n, rows, layers, threads), // weight's
    rowsOp(2 * n * k, layers), // which it is added to
  ]);
  const head = [
    ...gemm(targets, vocabulary, width, 1 + references, threads),
    ...gemm(targets, width, vocabulary, 1, threads),
    ...gemm(width, vocabulary, targets, 1, threads),
    rowsOp(targets * vocabulary * (3 + references), 1),
  ];
  return [
    ...trunk,
    ...head,
    attention(shape, 2, forwards),
    attention(shape, 5, layers),
    // Norms, rotation, activation: read and written once each way, forward and about twice as much backward.
    rowsOp(rows * (6 * width + 2 * qkvWidth + upWidth + mlpWidth), forwards),
    rowsOp(rows * (12 * width + 2 * qkvWidth + 2 * upWidth + 3 * mlpWidth), layers),
    rowsOp(9 * parameters, 1, "optimiser"), // AdamW: 28 bytes a parameter; the norm and the clearing of gradients: 8
  ];
}

export interface Cost {
  readonly milliseconds: number;
  readonly parts: Readonly<Record<Op["kind"] | "waiting", number>>;
}

/** Attention's products are smaller than a GEMM's: measured beside it (bench attention). */
const ATTENTION_SHARE = 0.6;

export function stepCost(shape: Shape, processor: Processor, threads: number): Cost {
  const parts = { gemm: 0, attention: 0, rows: 0, optimiser: 0, waiting: 0 };
  const bandwidth = Math.min(processor.gbPerSecond, threads * processor.gbPerSecondPerCore);
  for (const { kind, gflop, gbyte, tasks, times } of stepOps(shape, threads)) {
    const speed = processor.gflopsPerCore * (kind === "attention" ? ATTENTION_SHARE : 1);
    const rounds = Number.isFinite(tasks) ? Math.ceil(tasks / threads) / tasks : 1 / threads;
    const slower = Math.max((gflop / speed) * rounds, gbyte / bandwidth);
    parts[kind] += 1000 * slower * times;
    parts.waiting += 1000 * processor.hand(threads) * times;
  }
  const milliseconds = Object.values(parts).reduce((sum, part) => sum + part, 0);
  return { milliseconds, parts };
}
