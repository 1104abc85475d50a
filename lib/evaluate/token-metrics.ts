// Metrics of predicted tokens from sums: loss, perplexity, accuracy. Pure; must not import the engine.

/** Sums over the targets of some answers. */
export interface TokenSums {
  /** Log-probs, nats. */
  readonly logprob: number;
  readonly entropy: number;
  /** Targets that were the likeliest token. */
  readonly correct: number;
  /** Targets. */
  readonly count: number;
}

export interface TokenMetrics {
  /** Mean negative log-prob of a target, nats. */
  readonly loss: number;
  /** e^loss */
  readonly perplexity: number;
  /** Share of the targets that were the likeliest token. */
  readonly mean_token_accuracy: number;
  /** Mean entropy of the predictions, nats. */
  readonly entropy: number;
  /** Targets. */
  readonly tokens: number;
}

/** Over all targets together: a long answer counts for more than a short one. NaN where there are none. */
export function tokenMetricsOf(sums: Iterable<TokenSums>): TokenMetrics {
  let [logprob, entropy, correct, tokens] = [0, 0, 0, 0];
  for (const one of sums) {
    logprob += one.logprob;
    entropy += one.entropy;
    correct += one.correct;
    tokens += one.count;
  }
  const loss = -logprob / tokens;
  return {
    loss,
    perplexity: Math.exp(loss),
    mean_token_accuracy: correct / tokens,
    entropy: entropy / tokens,
    tokens,
  };
}
