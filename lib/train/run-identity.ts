// What must stay the same for a run to continue bit for bit, and how two runs differ. Pure.

/** Values by the names that messages use: `learning-rate`, `rows`, `model`. */
export type RunIdentity = Readonly<Record<string, string | number | boolean | null>>;

/**
 * Options that change no number of a run, or whose effect is seen elsewhere: files by their contents, `max-length` by the
 * rows.
 */
const freeOptions: ReadonlySet<string> = new Set([
  "model",
  "data",
  "evalData",
  "adapter",
  "reference",
  "referenceData",
  "chatTemplate",
  "cache",
  "tokenCache",
  "output",
  "threads",
  "device",
  "referenceOffload",
  "rewardOffload",
  "logEvery",
  "saveEvery",
  "keepCheckpoints",
  "sampleEvery",
  "samplePrompts",
  "sampleTokens",
  "resume",
  "allowChanges",
  "rewardTimeout",
  "rewardRetries",
  "decodeBatch",
  "saveRollouts",
]);

export interface IdentityParts {
  readonly command: string;
  /** With every default filled in. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** Optimiser steps of the whole run: the schedule depends on it. */
  readonly steps: number;
  /** SHA-256 by name: rows, model, tokenizer … */
  readonly hashes: Readonly<Record<string, string>>;
  /** `attune`, `isa`: other code may round in another way. */
  readonly machine: Readonly<Record<string, string>>;
}

export function runIdentity({ command, settings, steps, hashes, machine }: IdentityParts): RunIdentity {
  const options = Object.entries(settings)
    .filter(([key]) => !freeOptions.has(key))
    .map(([key, value]) => [dashed(key), plain(value)] as const);
  return { command, ...Object.fromEntries(options), steps, ...hashes, ...machine };
}

function dashed(key: string): string {
  return key.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

function plain(value: unknown): string | number | boolean | null {
  if (value === undefined || value === null) return null;
  return typeof value === "number" || typeof value === "boolean" || typeof value === "string"
    ? value
    : JSON.stringify(value);
}

export interface Change {
  readonly name: string;
  readonly before: string;
  readonly after: string;
}

/** Where two identities differ, in the order of the newer one. */
export function changesBetween(before: RunIdentity, after: RunIdentity): readonly Change[] {
  const names = [...new Set([...Object.keys(after), ...Object.keys(before)])];
  return names
    .filter((name) => (before[name] ?? null) !== (after[name] ?? null))
    .map((name) => ({ name, before: shown(before[name]), after: shown(after[name]) }));
}

/** `learning-rate was 1e-6 and is 2e-6` */
export function changeText({ name, before, after }: Change): string {
  return `${name} was ${before} and is ${after}`;
}

function shown(value: RunIdentity[string] | undefined): string {
  if (value === undefined || value === null) return "not set";
  const text = String(value);
  // The beginning of a hash says enough.
  return /^[0-9a-f]{40,64}$/.test(text) ? `${text.slice(0, 12)}…` : text;
}
