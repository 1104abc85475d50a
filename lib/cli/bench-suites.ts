// What `attune bench` measures: suites of kernels, as native/bench has them, and whole steps. Data only.

import { fail, unknownName } from "../errors/index.js";

/** One benchmark of the addon with what it takes. */
export interface KernelWork {
  readonly benchmark: string;
  readonly arguments: readonly string[];
  /** With --quick. */
  readonly quick: readonly string[];
}

export interface BenchSuite {
  readonly name: string;
  /** For --list. */
  readonly what: string;
  /** Empty: whole steps of the toy model. */
  readonly kernels: readonly KernelWork[];
}

/** Measured before everything else: what the others are a share of. */
export const peakSuite: BenchSuite = {
  name: "peak",
  what: "multiply-adds and bytes read per second: the limits",
  kernels: [{ benchmark: "peak", arguments: [], quick: [] }],
};

/** Shapes MxNxK of small models: one that fills the cores, narrow ones, and the products of decoding. */
const gemmShapes = ["256x768x768", "1024x1536x576", "64x1536x576", "8x49152x576", "1x49152x576"];

export const benchSuites: readonly BenchSuite[] = [
  {
    name: "gemm",
    what: "linear maps, forward and both gradients, from training batches to one row",
    kernels: [{ benchmark: "gemm", arguments: gemmShapes, quick: ["64x256x256"] }],
  },
  {
    name: "attention",
    what: "attention over packed rows, with shared prompts too, forward and backward",
    kernels: [{ benchmark: "attention", arguments: [], quick: ["256 + 32 x 1 H9 G3 D64"] }],
  },
  {
    name: "head",
    what: "the head over a whole vocabulary with its loss and gradients, and the ops it is made of",
    kernels: [
      { benchmark: "head", arguments: [], quick: [] },
      { benchmark: "fused_head", arguments: ["256x768x32000"], quick: ["32x64x4096"] },
    ],
  },
  {
    name: "row-ops",
    what: "norms, activations, embedding, optimiser: work of few operations on many bytes",
    kernels: [{ benchmark: "rows", arguments: [], quick: ["norms"] }],
  },
  {
    name: "toy-model",
    what: "whole steps of the toy model: sft, dpo, sampling",
    kernels: [],
  },
];

/** Those that were named, in the order of the table; all where none was. */
export function chosenSuites(names: readonly string[]): readonly BenchSuite[] {
  const known = benchSuites.map(({ name }) => name);
  for (const name of names) {
    if (!known.includes(name)) throw fail("ATTUNE_OPTION", unknownName("suite of bench", name, known));
  }
  return names.length === 0 ? benchSuites : benchSuites.filter(({ name }) => names.includes(name));
}
