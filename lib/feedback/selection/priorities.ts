// Turns what a selector says into the priorities that the store keeps. Must not write them.

import { fail } from "../../errors/index.js";
import type { SelectorName } from "../project-settings.js";
import type { ScoredItem, SelectionContext, Selector } from "./scored-item.js";
import { selectorsByName } from "./selectors.js";

export interface PriorityOptions extends SelectionContext {
  readonly selector: SelectorName | Selector;
  readonly items: readonly ScoredItem[];
  /** By item: how often people passed it over. */
  readonly skips?: ReadonlyMap<string, number>;
  /** Taken off for each time. */
  readonly skipCost: number;
}

/**
 * In standard deviations of what the selector says, mean 0: selectors have scales of their own (nats, widths, gaps), and a
 * project's temperature means the same for each. An item that nobody scored has priority 0, the mean.
 * @throws ATTUNE_OPTION for a selector that gives another number of values, or one that is not finite
 */
export function prioritiesOf({
  selector,
  items,
  bound,
  skips = new Map(),
  skipCost,
}: PriorityOptions): (readonly [item: string, priority: number])[] {
  const select = typeof selector === "function" ? selector : selectorsByName[selector];
  const values = select(items, { bound });
  if (values.length !== items.length) {
    const text = `Expected a selector to give ${items.length} values, one for each item, but it gave ${values.length}.`;
    throw fail("ATTUNE_OPTION", text);
  }
  for (const [place, value] of values.entries())
    if (!Number.isFinite(value)) {
      const text = `Expected a selector to give finite numbers but of ${items[place]?.item} it says ${value}.`;
      throw fail("ATTUNE_OPTION", text);
    }
  const standard = standardised(values);
  return items.map(({ item }, place) => [item, (standard[place] ?? 0) - skipCost * (skips.get(item) ?? 0)]);
}

function standardised(values: readonly number[]): readonly number[] {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const spread = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
  // Equal but for rounding: nothing to choose by.
  if (!(spread > 1e-12 * Math.abs(mean))) return values.map(() => 0);
  return values.map((value) => (value - mean) / spread);
}
