// Derives the merge list of a SentencePiece BPE vocabulary from its scores, as Hugging Face's converter does.
// Must not know files.

export interface MergesFromScoresOptions {
  readonly tokens: readonly string[];
  /** [tokens]; a higher score merges earlier. */
  readonly scores: Float32Array;
  /** Tokens that are never made by merging: special and user-defined ones. */
  readonly whole: ReadonlySet<unknown>;
}

interface Merge {
  readonly left: string;
  readonly right: string;
  readonly score: number;
}

/** Pairs in the order of merging: every way to build an entry from two others, by the entry's score. */
export function mergesFromScores({ tokens, scores, whole }: MergesFromScoresOptions): [string, string][] {
  const ids = new Map(tokens.map((token, id) => [token, id]));
  const merges: Merge[] = [];
  for (const [id, token] of tokens.entries()) {
    if (whole.has(token) || /^<0x[0-9A-F]{2}>$/.test(token)) continue;
    const score = scores[id] ?? 0;
    const own: (Merge & { readonly leftId: number; readonly rightId: number })[] = [];
    let cut = 0;
    for (const char of token) {
      cut += char.length;
      const left = token.slice(0, cut);
      const right = token.slice(cut);
      const leftId = ids.get(left);
      const rightId = ids.get(right);
      if (leftId !== undefined && rightId !== undefined) own.push({ left, right, score, leftId, rightId });
    }
    own.sort((a, b) => a.leftId - b.leftId || a.rightId - b.rightId);
    merges.push(...own);
  }
  const letters = (text: string) => [...text].length;
  merges.sort(
    (a, b) => b.score - a.score || letters(b.left) - letters(a.left) || letters(b.right) - letters(a.right),
  );
  return merges.map(({ left, right }) => [left, right]);
}
