// The one table of error codes: what each means and the exit code of the command line.
// Must not import anything: every room may use it, and native code spells the same names.

/** Exit code of the command line: 2 = wrong usage or data, 1 = failed for another reason. */
export type ExitCode = 1 | 2;

export interface CodeEntry {
  /** One line for the documentation. */
  readonly meaning: string;
  readonly exitCode: ExitCode;
}

const usage = (meaning: string): CodeEntry => ({ meaning, exitCode: 2 });
const failure = (meaning: string): CodeEntry => ({ meaning, exitCode: 1 });

export const errorCodes = {
  ATTUNE_OPTION: usage("an option or flag is unknown, or its value is not allowed"),
  ATTUNE_CONFIG: usage("a configuration file cannot be read as YAML or holds unknown keys"),
  ATTUNE_DATA: usage("a row, or a file of rows, is not what its type asks for"),
  ATTUNE_DATA_COLUMN: usage("a row lacks a column, or a column holds another type than expected"),
  ATTUNE_DATA_JSON: usage("a line of a row file is not valid JSON"),
  ATTUNE_NO_ROWS: usage("no row was left to train on; the reasons are listed with counts"),
  ATTUNE_TOKENIZER: usage("a tokenizer is missing, unsupported, or does not fit the model"),
  ATTUNE_TEMPLATE: usage(
    "a chat template is missing, refuses the messages, or does not end turns with an EOS token",
  ),
  ATTUNE_TEMPLATE_PREFIX: usage(
    "a chat template rewrites earlier turns, so that a prompt is no beginning of its answer",
  ),
  ATTUNE_FILE: usage("a file or folder is missing or cannot be read"),
  ATTUNE_FORMAT: usage("a model file is truncated, corrupted, or of an unsupported type"),
  ATTUNE_MODEL: usage(
    "a model's architecture or configuration is not supported, or its weights are unusable",
  ),
  ATTUNE_SHAPE: usage("a tensor or array has another shape than expected"),
  ATTUNE_OUTPUT: usage("the output folder cannot be written"),
  ATTUNE_OUTPUT_EXISTS: usage("the output folder already holds a run"),
  ATTUNE_RESUME: usage("a run cannot be resumed from this folder"),
  ATTUNE_STORE: failure("the store of judgements cannot be opened or written, or is of another version"),
  ATTUNE_NOT_FOUND: usage("a project, item, lease or judgement is not in the store"),
  ATTUNE_EXISTS: usage("a project or policy of that name is in the store already"),
  ATTUNE_LOOP: failure("another loop, or another process, trains the project already"),
  ATTUNE_JUDGEMENT: usage("a judgement is no answer to what its item asks"),
  ATTUNE_MEDIA: usage("an image or clip is broken, too large, or of a type that is not shown"),
  ATTUNE_LEASE: usage("a lease is not open any more, or belongs to somebody else"),
  ATTUNE_CONFLICT: usage("a call was repeated with its key but with another body"),
  ATTUNE_AUTH: usage("a token is missing, wrong or over, or its role may not do this"),
  ATTUNE_RATE: usage("more calls than a token may make; Retry-After says when to come again"),
  ATTUNE_REQUEST: usage(
    "a request is not what the service takes: too large, no JSON, of another host or page",
  ),
  ATTUNE_MEMORY: failure("the work does not fit the memory; the numbers are listed"),
  ATTUNE_NOT_FINITE: failure("a loss, gradient or weight is NaN or infinite"),
  ATTUNE_REWARD: failure("a reward source failed, took too long, or gave no score that can be used"),
  ATTUNE_DISPOSED: failure("an engine, model or optimizer was used after it was disposed"),
  ATTUNE_ABORTED: failure("the work was cancelled"),
  ATTUNE_ADDON_LOAD: failure("the native addon could not be loaded"),
  ATTUNE_BACKEND: failure("a device backend could not be used"),
  ATTUNE_DEVICE_LOST: failure("the GPU stopped working for this process"),
  ATTUNE_INTERNAL: failure("an error in attune itself; please report it"),
} as const satisfies Record<string, CodeEntry>;

export type ErrorCode = keyof typeof errorCodes;

/** Whether a text is one of our codes; native errors arrive as plain text. */
export function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(errorCodes, code);
}
