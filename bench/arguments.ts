// Numbers on the command lines of benchmarks. Must not know a benchmark.

/** A wrong number would end as an empty measurement or one of something else. */
export function countOf(flag: string, text: string): number {
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1)
    throw new Error(`expected ${flag} to be a whole number of at least 1 but received "${text}"`);
  return count;
}
