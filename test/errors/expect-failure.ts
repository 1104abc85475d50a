// Runs something that must fail and gives back its AttuneError. Must not swallow a missing failure.

import { expect } from "chai";
import { AttuneError, type ErrorCode } from "../../lib/errors/index.js";

export async function failureOf(work: () => unknown): Promise<AttuneError> {
  try {
    await work();
  } catch (error) {
    if (error instanceof AttuneError) return error;
    throw error;
  }
  throw new Error("expected an AttuneError, but nothing was thrown");
}

/** Fails unless the work fails with this code and a message that has `text` in it. */
export async function expectFailure(work: () => unknown, code: ErrorCode, text: string): Promise<void> {
  const { code: found, message } = await failureOf(work);
  expect(`${found}: ${message}`).to.include(code).and.to.include(text);
}
