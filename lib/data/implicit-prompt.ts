// Finds the prompt of a preference row that has none: what its two sides share, cut back to a turn or a word.
// Must not tokenise.

export interface ImplicitPromptOptions {
  readonly chosen: string;
  readonly rejected: string;
  /** Ends a turn's heading; belongs to the prompt. Default "\n\nAssistant:". */
  readonly turnMark?: string;
}

export interface SplitPair {
  readonly prompt: string;
  readonly chosen: string;
  readonly rejected: string;
}

/**
 * Splits two whole transcripts. The common beginning is cut back to its last turn mark, else to before its last white
 * space, so that words which the answers merely share stay in the answers. Returns undefined when no prompt is left.
 */
export function splitImplicitPrompt(options: ImplicitPromptOptions): SplitPair | undefined {
  const { chosen, rejected, turnMark = "\n\nAssistant:" } = options;
  let shared = 0;
  while (shared < chosen.length && chosen[shared] === rejected[shared]) shared++;
  const common = chosen.slice(0, shared);
  const mark = turnMark === "" ? -1 : common.lastIndexOf(turnMark);
  const length = mark >= 0 ? mark + turnMark.length : lastWhiteSpace(common);
  const prompt = common.slice(0, Math.max(length, 0));
  if (!/\P{White_Space}/u.test(prompt)) return undefined;
  return { prompt, chosen: chosen.slice(length), rejected: rejected.slice(length) };
}

function lastWhiteSpace(text: string): number {
  let last = -1;
  for (const match of text.matchAll(/\p{White_Space}/gu)) last = match.index;
  return last;
}
