// What an engine is made with. Types only.

export interface Logger {
  debug?(message: string): void;
  info?(message: string): void;
  warn?(message: string): void;
  error?(message: string): void;
}

export interface EngineOptions {
  /** Default "auto": the best device that works. "cuda" is the first GPU that can be used, "cuda:1" that of this number. */
  readonly device?: "auto" | "cpu" | "cuda" | `cuda:${number}`;
  /** CPU threads; default ATTUNE_THREADS, else all the process may use. Engines with the same number share them. */
  readonly threads?: number;
  /**
   * Instruction set of the CPU's kernels (see `backends`); default ATTUNE_ISA, else the best the processor has. With device
   * "auto" it means the CPU; a GPU has none to choose, and leaves ATTUNE_ISA aside.
   */
  readonly isa?: string;
  /** Silent by default. */
  readonly logger?: Logger;
}
