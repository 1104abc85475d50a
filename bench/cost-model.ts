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
  /** Rows of a GEMM's tile: 12 with 32 vector registers, 6 with 16. */
  readonly tileRows: number;
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
/** Columns of a panel, their depth in one slab, bytes of a task's (native/cpu/gemm_*.h); values of a task of rows (rows_io.h). */
const PANEL = 32;
const DEPTH_SLAB = 2048;
const PANEL_BYTES = 384 << 10;
const MOST_TOGETHER = 8;
const ROWS_TASK = 16_384;

const divided = (value: number, by: number) => Math.ceil(value / by);
const clamped = (value: number, least: number, most: number) => Math.max(least, Math.min(value, most));

interface Product {
  /** C[m,n], summed over k. */
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly threads: number;
  readonly tileRows: number;
}

/** So many threads, so many tasks at least where the shape allows it (cut_tasks). */
export function gemmTasks({ m, n, k, threads, tileRows }: Product): number {
  const wanted = Math.max(64, 8 * threads);
  const panels = divided(n, PANEL);
  const together = clamped(Math.floor(PANEL_BYTES / (4 * PANEL * k)), 1, MOST_TOGETHER);
  const groups = divided(panels, clamped(divided(panels, wanted), 1, together));
  return groups * clamped(divided(wanted, groups), 1, divided(divided(m, tileRows), 4));
}

/** Where weights are read where they lie, m of them against panels of n rows (cut_rows). */
export function fewRowsTasks({ m, n, threads, tileRows }: Omit<Product, "k">): number {
  const panels = divided(n, PANEL);
  const ranges = divided(divided(m, tileRows), 2);
  const together = clamped(Math.floor((panels * ranges) / (4 * threads)), 1, Math.min(panels, MOST_TOGETHER));
  const groups = divided(panels, together);
  return groups * clamped(divided(4 * threads, groups), 1, ranges);
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

interface Linear {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly forwards: number;
  readonly times: number;
  readonly threads: number;
  readonly tileRows: number;
}

/** y = x W^T forward, dx = dy W, dW = dy^T x; a packed value is read and written. */
function linear({ m, n, k, forwards, times, threads, tileRows }: Linear): readonly Op[] {
  const on = { threads, tileRows };
  const product = (cut: { readonly tasks: number; readonly gbyte: number; readonly shared: number }): Op => ({
    kind: "gemm",
    gflop: 2e-9 * m * n * k,
    gbyte: FLOAT * cut.gbyte,
    sharedGbyte: FLOAT * cut.shared,
    tasks: cut.tasks,
    times,
  });
  const y = product({ tasks: gemmTasks({ m, n, k, ...on }), gbyte: n * k + 2 * m * n, shared: m * k });
  const dw = product({
    tasks: gemmTasks({ m: k, n, k: Math.min(m, DEPTH_SLAB), ...on }),
    gbyte: m * n + 2 * n * k,
    shared: m * k,
  });
  // Few rows are packed instead of the weights.
  const few = 2 * m <= k && k >= 256;
  const slabs = divided(n, DEPTH_SLAB);
  const depth = Math.min(n, DEPTH_SLAB);
  const tasks = few ? fewRowsTasks({ m: k, n: m, ...on }) : gemmTasks({ m, n: k, k: depth, ...on });
  const dx = product({ tasks, gbyte: n * k + 2 * slabs * m * k, shared: m * n });
  const ofSlab = { gflop: dx.gflop / slabs, gbyte: dx.gbyte / slabs, sharedGbyte: dx.sharedGbyte / slabs };
  return [
    { ...y, times: forwards },
    rowsOp(2 * (few ? m * n : n * k), times),
    { ...dx, ...ofSlab, times: times * slabs },
    rowsOp(2 * m * (n + k), times),
    dw,
  ];
}

/** What of a processor decides how ops are cut. */
type Cut = Pick<Product, "threads" | "tileRows">;

/** Every op of a step over `shape` in fp32, with all weights trained. */
export function stepOps(shape: Shape, cut: Cut): readonly Op[] {
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
    ...maps.flatMap(([n, k]) => linear({ m: rows, n, k, forwards, times: layers, ...cut })),
    ...linear({ m: targets, n: vocabulary, k: width, forwards: 1 + references, times: 1, ...cut }),
    rowsOp(targets * vocabulary * (3 + references), 1), // statistics and gradient of the logits
    attention(shape, 2, forwards),
    attention(shape, 5, layers),
    // Norms, rotation, activation: read and written once each way, forward and about twice as much backward.
    rowsOp(rows * (6 * width + 2 * qkvWidth + upWidth + mlpWidth), forwards),
    rowsOp(rows * (12 * width + 2 * qkvWidth + 2 * upWidth + 3 * mlpWidth), layers),
    rowsOp(8 * parameters, 1, "optimiser"), // AdamW: 28 bytes a parameter; the norm of gradients: 4
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
  for (const op of stepOps(shape, { threads, tileRows: processor.tileRows })) {
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
