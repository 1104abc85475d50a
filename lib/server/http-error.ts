// Errors as answers: a status for each code, and a body that programs and people can read. Must not know routes.

import { AttuneError, type ErrorCode, reasonOf } from "../errors/index.js";

export interface ErrorBody {
  readonly code: ErrorCode;
  readonly message: string;
  /** What of the request is wrong. */
  readonly field?: string;
}

const statuses: Partial<Record<ErrorCode, number>> = {
  ATTUNE_OPTION: 400,
  ATTUNE_DATA: 400,
  ATTUNE_DATA_COLUMN: 400,
  ATTUNE_DATA_JSON: 400,
  ATTUNE_REQUEST: 400,
  ATTUNE_MEDIA: 400,
  ATTUNE_JUDGEMENT: 422,
  ATTUNE_NOT_FOUND: 404,
  ATTUNE_EXISTS: 409,
  ATTUNE_LEASE: 409,
  ATTUNE_CONFLICT: 409,
  ATTUNE_AUTH: 401,
  ATTUNE_RATE: 429,
  ATTUNE_STORE: 503,
};

/** What else a status depends on than the code. */
export interface StatusDetails {
  readonly status?: number;
  readonly retryAfter?: number;
  readonly field?: string;
}

export function errorResponse(error: unknown): Response {
  const known = error instanceof AttuneError ? error : undefined;
  const details = (known?.details ?? {}) as StatusDetails;
  const code = known?.code ?? "ATTUNE_INTERNAL";
  const body: ErrorBody = {
    code,
    // What no code names may hold paths or data: it goes to the log, not to the caller.
    message: known === undefined ? "Something went wrong inside the service." : reasonOf(known),
    ...(details.field === undefined ? {} : { field: details.field }),
  };
  const headers: Record<string, string> = { "content-type": "application/json" };
  if (details.retryAfter !== undefined) headers["retry-after"] = String(details.retryAfter);
  return new Response(JSON.stringify(body), {
    status: details.status ?? statuses[code] ?? 500,
    headers,
  });
}

/** An error as a log may hold it: no texts of people, no tokens. */
export interface LoggedError {
  readonly code: string;
  readonly name: string;
  /** Of our own errors, which hold none of either. */
  readonly message?: string;
  /** Where it happened. */
  readonly frames: readonly string[];
}

/** Of what others throw the message stays out: JSON.parse, say, quotes what it could not read. */
export function loggedError(error: unknown): LoggedError {
  if (!(error instanceof Error)) return { code: "ATTUNE_INTERNAL", name: typeof error, frames: [] };
  const frames = (error.stack ?? "").split("\n").filter((line) => /^\s+at /.test(line));
  const place = { name: error.name, frames: frames.map((line) => line.trim()) };
  if (error instanceof AttuneError) return { code: error.code, message: error.message, ...place };
  const code = "code" in error && typeof error.code === "string" ? error.code : "ATTUNE_INTERNAL";
  return { code, ...place };
}
