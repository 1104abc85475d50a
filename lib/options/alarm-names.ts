// Names of the alarms of online runs; lib/evaluate says when each is raised. Must not import any room.

export const alarmNames = [
  "reward-up-gold-down",
  "reward-up-win-rate-down",
  "length-drift",
  "entropy-collapse",
  "kl-budget",
  "missing-eos",
  "repetition",
  "equal-answers",
] as const;
