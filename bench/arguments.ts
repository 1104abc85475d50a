// What benchmarks read of their command lines. Must not know a benchmark.

/** A wrong number would end as an empty measurement or one of something else. */
export function countOf(flag: string, text: string): number {
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1)
    throw new Error(`expected ${flag} to be a whole number of at least 1 but received "${text}"`);
  return count;
}

export type Dtype = "fp32" | "bf16";

export function dtypeOf(text: string): Dtype {
  if (text === "fp32" || text === "bf16") return text;
  throw new Error(`expected --dtype to be fp32 or bf16 but received "${text}"`);
}
