// Public names of the errors room. Must not import any other room.

export { AttuneError, type ErrorDetails, type FailOptions, fail, reasonOf } from "./attune-error.js";
export { type CodeEntry, type ErrorCode, type ExitCode, errorCodes, isErrorCode } from "./codes.js";
export { editDistance, nearest, unknownName } from "./nearest.js";
export { receivedError, type SentError, sentError } from "./sent-error.js";
export { sizeText } from "./size-text.js";
