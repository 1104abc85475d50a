// Runs something that must fail and gives back its AttuneError. Must not swallow a missing failure.

import { AttuneError } from "../../lib/errors/index.js";

export async function failureOf(work: () => unknown): Promise<AttuneError> {
  try {
    await work();
  } catch (error) {
    if (error instanceof AttuneError) return error;
    throw error;
  }
  throw new Error("expected an AttuneError, but nothing was thrown");
}
