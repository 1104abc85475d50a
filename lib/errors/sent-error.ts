// Errors in a form that messages between threads keep whole, and back.
// Must not import anything but the error itself.

import { AttuneError, type ErrorDetails, fail } from "./attune-error.js";
import type { ErrorCode } from "./codes.js";

export interface SentError {
  readonly code?: ErrorCode;
  readonly message: string;
  readonly details?: ErrorDetails;
  readonly cause?: string;
}

export function sentError(error: unknown): SentError {
  if (!(error instanceof AttuneError)) {
    return { message: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
  const { code, message, details, cause } = error;
  return {
    code,
    message,
    ...(details === undefined ? {} : { details }),
    ...(cause === undefined ? {} : { cause: cause instanceof Error ? cause.message : String(cause) }),
  };
}

export function receivedError({ code, message, details, cause }: SentError): Error {
  if (code === undefined) return new Error(message);
  return fail(code, message, {
    ...(details === undefined ? {} : { details }),
    ...(cause === undefined ? {} : { cause: new Error(cause) }),
  });
}
