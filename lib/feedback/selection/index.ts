// Public names of choosing what to ask next.

export { meanProbability, pairProbabilities } from "./pair-probabilities.js";
export { type PriorityOptions, prioritiesOf } from "./priorities.js";
export type { ItemScores, ScoredItem, SelectionContext, Selector } from "./scored-item.js";
export { selectorsByName } from "./selectors.js";
