// What a training step costs on a processor of n cores: each op is as slow as its arithmetic, cut into tasks, as the memory that
// it must move, or as its threads' turns at the one counter of tasks, and ends with all of them waiting for the last. Pure; must
// not measure anything.

export interface Processor {
  readonly name: string;
  readonly cores: number;
  /** Cores that share an L3, each of which reads the operands for itself. */
  readonly coresPerL3: number;
  /** A GEMM over operands in cache, and attention, on one core. */
  readonly gemmGflops: number;
  readonly attentionGflops: number;
  /** Reading and writing in streams, one core and all of them, of all nodes. */
  readonly gbPerSecondPerCore: number;
  readonly gbPerSecond: number;
  /** Sockets; memory of another one comes over links of this speed (of no meaning where there is one). */
  readonly nodes: number;
  readonly linkGbPerSecond: number;
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

/** One op, `times` times: what it computes and moves, and the tasks that its threads take. */
interface Op {
  readonly kind: "gemm" | "attention" | "rows" | "optimiser";
  readonly gflop: number;
  readonly gbyte: number;
  /** Part of gbyte that each L3 reads for itself. */
  readonly sharedGbyte: number;
  readonly tasks: number;
  readonly times: number;
}

const FLOAT = 4e-9;
/** Rows of a GEMM's tile, columns of a panel (native/cpu/gemm_run.h), bytes of a task of rows (rows_io.h). */
const TILE_ROWS = 12;
const PANEL = 32;
const ROWS_TASK = 16_384;

/** So many threads, so many tasks at least where the shape allows it. */
export function gemmTasks(m: number, n: number, threads: number): number {
  const wanted = Math.max(64, 8 * threads);
  const panels = Math.ceil(n / PANEL);
  const group = Math.min(8, Math.max(1, Math.ceil(panels / wanted)));
  const groups = Math.ceil(panels / group);
  const most = Math.ceil(Math.ceil(m / TILE_ROWS) / 4);
  return groups * Math.min(most, Math.max(1, Math.ceil(wanted / groups)));
}

interface Product {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly times: number;
  readonly threads: number;
  /** Values that are packed before. */
  readonly packed: number;
}

/** C[m,n] = A[m,k] B[k,n]; a packed value is read and written. */
function gemm({ m, n, k, times, threads, packed }: Product): readonly Op[] {
  const product: Op = {
    kind: "gemm",
    gflop: 2e-9 * m * n * k,
    gbyte: FLOAT * (n * k + 2 * m * n),
    sharedGbyte: FLOAT * m * k,
    tasks: gemmTasks(m, n, threads),
    times,
  };
  return packed === 0 ? [product] : [rowsOp(2 * packed, times), product];
}

function rowsOp(values: number, times: number, kind: Op["kind"] = "rows"): Op {
  return {
    kind,
    gflop: 0,
    gbyte: FLOAT * values,
    sharedGbyte: 0,
    tasks: Math.ceil(values / ROWS_TASK),
    times,
  };
}

function attention(shape: Shape, products: number, times: number): Op {
  const { rows, heads, headWidth, length } = shape;
  // Queries see half of their sequence; tasks are about 64 queries of a head.
  const gflop = 1e-9 * products * rows * length * heads * headWidth;
  return {
    kind: "attention",
    gflop,
    gbyte: 0,
    sharedGbyte: 0,
    tasks: heads * Math.ceil(rows / Math.min(64, length)),
    times,
  };
}

/** y = x W^T forward, dx = dy W, dW += dy^T x. */
function linear(
  m: number,
  n: number,
  k: number,
  forwards: number,
  times: number,
  threads: number,
): readonly Op[] {
  return [
    ...gemm({ m, n, k, times: forwards, threads, packed: 0 }),
    ...gemm({ m, n: k, k: n, times, threads, packed: n * k }),
    ...gemm({ m: k, n, k: m, times, threads, packed: m * (n + k) }),
    rowsOp(2 * n * k, times), // dW is added to
  ];
}

/** Every op of a step over `shape` in fp32, with all weights trained. */
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
  return [
    ...maps.flatMap(([n, k]) => linear(rows, n, k, forwards, layers, threads)),
    ...linear(targets, vocabulary, width, 1 + references, 1, threads),
    rowsOp(targets * vocabulary * (3 + references), 1), // statistics and gradient of the logits
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

/** Assumed, in milliseconds: a cache line goes from one core to another, a round of work reaches a spinning thread. */
const TAKE = 1e-4;
const WAKE = 1e-3;

export function stepCost(shape: Shape, processor: Processor, threads: number): Cost {
  const parts = { gemm: 0, attention: 0, rows: 0, optimiser: 0, waiting: 0 };
  for (const op of stepOps(shape, threads)) {
    const { compute, memory } = opCost(op, processor, threads);
    const turns = threads === 1 ? 0 : op.tasks * TAKE;
    const slower = Math.max(compute, memory);
    parts[op.kind] += slower * op.times;
    parts.waiting += (Math.max(0, turns - slower) + (threads === 1 ? 0 : WAKE + threads * TAKE)) * op.times;
  }
  const milliseconds = Object.values(parts).reduce((sum, part) => sum + part, 0);
  return { milliseconds, parts };
}

/** Milliseconds of its arithmetic and of its memory. */
function opCost({ kind, gflop, gbyte, sharedGbyte, tasks }: Op, processor: Processor, threads: number) {
  const { gemmGflops, attentionGflops, gbPerSecond, gbPerSecondPerCore, nodes, linkGbPerSecond } = processor;
  const speed = kind === "attention" ? attentionGflops : gemmGflops;
  const compute = ((1000 * gflop) / speed) * (Math.ceil(tasks / threads) / tasks);
  const caches = Math.ceil(threads / processor.coresPerL3);
  const moved = gbyte + sharedGbyte * caches;
  const nodesUsed = Math.ceil((threads * nodes) / processor.cores);
  const near = moved / Math.min((gbPerSecond * nodesUsed) / nodes, threads * gbPerSecondPerCore);
  // Memory lies where it was touched first, and any thread takes any task.
  const far = nodesUsed === 1 ? 0 : (moved * (1 - 1 / nodesUsed)) / linkGbPerSecond;
  return { compute, memory: 1000 * Math.max(near, far) };
}
