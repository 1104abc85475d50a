// The error every public function throws: a stable code beside a text for people.
// Must not import anything but the table of codes.

import { type ErrorCode, type ExitCode, errorCodes } from "./codes.js";

/** Structured facts of an error (file, line, counts …): what a program may want to read without parsing the text. */
export type ErrorDetails = Readonly<Record<string, unknown>>;

export interface FailOptions {
  /** The error underneath, kept as `error.cause`. */
  readonly cause?: unknown;
  readonly details?: ErrorDetails;
}

/** An error with a stable `code`; its message says what was expected, what was found and what to do. */
export class AttuneError extends Error {
  override readonly name: string = "AttuneError";
  readonly code: ErrorCode;
  readonly details: ErrorDetails | undefined;
  /** What the command line exits with: 2 for wrong usage or data, 1 otherwise. */
  readonly exitCode: ExitCode;

  constructor(code: ErrorCode, message: string, options: FailOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.details = options.details;
    this.exitCode = errorCodes[code].exitCode;
  }
}

/**
 * Makes the error; the caller throws it, so that control flow stays visible: `throw fail("ATTUNE_OPTION", "…")`.
 * @param code one of `errorCodes`
 * @param message expected, name, received, and what to do
 */
export function fail(code: ErrorCode, message: string, options: FailOptions = {}): AttuneError {
  return new AttuneError(code, message, options);
}

/** The message of anything that was thrown, for a text that continues with the reason. */
export function reasonOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
