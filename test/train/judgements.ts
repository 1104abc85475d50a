// Judgements of a taste that a tiny model can learn: more "y" is better. Data only.

/** Answers from best to worst. */
const answers = [" yyyy", " yyyn", " ynnn", " nnnn"] as const;
const prompts = ["a?", "bb?", "ccc?", "d?", "ee?", "fff?", "g?", "hh?"] as const;

export const tastePairs = prompts.map((prompt, i) => ({
  prompt,
  chosen: `${answers[i % 2]} ok`,
  rejected: answers[2 + (i % 2)] ?? "",
}));

/** Some of them ties. */
export const tastePairsWithTies = prompts.map((prompt, i) =>
  i % 4 === 3
    ? { prompt, chosen: " yynn", rejected: " nnyy", label: 0.5 }
    : { prompt, chosen: answers[i % 2] ?? "", rejected: answers[3] },
);

/** Several pairs of every prompt. */
export const tasteGroups = prompts
  .slice(0, 4)
  .flatMap((prompt) =>
    [0, 1, 2].map((i) => ({ prompt, chosen: answers[i] ?? "", rejected: answers[i + 1] ?? "" })),
  );

export const tasteRankings = prompts.map((prompt, i) => ({
  prompt,
  completions: i % 2 === 0 ? [...answers] : [...answers].reverse(),
  ranks: i % 2 === 0 ? [1, 2, 3, 4] : [3, 2, 1, 1],
}));

export const tasteBest = prompts.map((prompt, i) => ({
  prompt,
  completions: i % 2 === 0 ? [answers[0], answers[2], answers[3]] : [answers[3], answers[1]],
  best: i % 2 === 0 ? 0 : 1,
}));

/** On a scale from 1 to 4. */
export const tasteRatings = prompts.flatMap((prompt) =>
  answers.map((completion, i) => ({ prompt, completion, rating: 4 - i })),
);

export const references = prompts.slice(0, 3).map((prompt) => ({ prompt, completion: " yes" }));
