// Compares computed with expected values: every error is held against its bar, and the worst are kept for the report.
// Must not import the library.

import { expect } from "chai";

export type Numbers = number | ArrayLike<number>;

/** |error| <= absolute + relative * |expected|. */
export interface Tolerance {
  readonly relative: number;
  readonly absolute: number;
}

/** What a figure belongs to. */
export interface Subject {
  /** gguf, model, loss, trainer. */
  readonly family: string;
  readonly isa: string;
  readonly dtype: string;
  readonly name: string;
}

interface Worst {
  readonly error: number;
  readonly bar: number;
  readonly name: string;
}

const worst = new Map<string, Worst>();

/** L2 norm of the difference over the norm of the expected values. */
export function relativeL2(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  let difference = 0;
  let norm = 0;
  for (let i = 0; i < expected.length; i++) {
    difference += (at(actual, i) - at(expected, i)) ** 2;
    norm += at(expected, i) ** 2;
  }
  // All zero: any difference is then infinite, and none is 0.
  return difference === 0 ? 0 : Math.sqrt(difference / norm);
}

export function meanAbsolute(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < expected.length; i++) sum += Math.abs(at(actual, i) - at(expected, i));
  return sum / expected.length;
}

export function maxAbsolute(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  let largest = 0;
  for (let i = 0; i < expected.length; i++) {
    const error = Math.abs(at(actual, i) - at(expected, i));
    if (!(error <= largest)) largest = error;
  }
  return largest;
}

export function l2(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += at(values, i) ** 2;
  return Math.sqrt(sum);
}

export function sumOf(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += at(values, i);
  return sum;
}

/** NaN where there is no such entry: a comparison with it fails. */
export function at(values: ArrayLike<number>, index: number): number {
  return values[index] ?? Number.NaN;
}

function list(values: Numbers): ArrayLike<number> {
  return typeof values === "number" ? [values] : values;
}

/** Holds the errors of one case on one instruction set against their bars. */
export class Comparison {
  constructor(readonly subject: Subject) {}

  /** Fails when `error` is not a number or above `bar`. */
  below(quantity: string, error: number, bar: number, where = ""): void {
    const { family, isa, dtype, name } = this.subject;
    const key = [family, dtype, quantity, isa].join("\t");
    const known = worst.get(key);
    if (known === undefined || share({ error, bar, name }) > share(known))
      worst.set(key, { error, bar, name });
    expect(error, `${quantity} of ${name}${where === "" ? "" : ` (${where})`}`).to.be.at.most(bar);
  }

  /** Largest absolute difference. */
  absolute(quantity: string, actual: Numbers, expected: Numbers, bar: number, where = ""): void {
    this.#sameLength(quantity, actual, expected);
    this.below(quantity, maxAbsolute(list(actual), list(expected)), bar, where);
  }

  /** Mean absolute difference. */
  mean(quantity: string, actual: ArrayLike<number>, expected: ArrayLike<number>, bar: number): void {
    this.#sameLength(quantity, actual, expected);
    this.below(quantity, meanAbsolute(actual, expected), bar);
  }

  /** Largest difference over the expected value's size. */
  relative(quantity: string, actual: Numbers, expected: Numbers, bar: number, where = ""): void {
    this.within(quantity, actual, expected, { relative: bar, absolute: 0 }, where);
  }

  relativeL2(
    quantity: string,
    actual: ArrayLike<number>,
    expected: ArrayLike<number>,
    bar: number,
    where = "",
  ): void {
    this.#sameLength(quantity, actual, expected);
    this.below(quantity, relativeL2(actual, expected), bar, where);
  }

  /** Every entry within the tolerance; the figure kept is the error at the worst entry beside its own bar. */
  within(quantity: string, actual: Numbers, expected: Numbers, tolerance: Tolerance, where = ""): void {
    this.#sameLength(quantity, actual, expected);
    let ratio = -1;
    let error = 0;
    let bar = tolerance.absolute;
    for (const [i, value] of Array.from(list(expected)).entries()) {
      const found = Math.abs(at(list(actual), i) - value);
      const allowed = tolerance.absolute + tolerance.relative * Math.abs(value);
      const share = found === 0 ? 0 : found / allowed;
      if (share <= ratio) continue;
      [ratio, error, bar] = [share, found, allowed];
      if (Number.isNaN(share)) break;
    }
    this.below(quantity, error, bar, where);
  }

  exact(quantity: string, actual: ArrayLike<number>, expected: ArrayLike<number>): void {
    const { name } = this.subject;
    expect(Array.from(actual).join(), `${quantity} of ${name}`).to.equal(Array.from(expected).join());
  }

  #sameLength(quantity: string, actual: Numbers, expected: Numbers): void {
    const wanted = list(expected).length;
    expect(list(actual).length, `${quantity} of ${this.subject.name}: number of values`).to.equal(wanted);
    expect(wanted, `${quantity} of ${this.subject.name}: number of values`).to.be.greaterThan(0);
  }
}

/** One line per quantity and type: the worst error beside its bar, and each instruction set's worst as a share of it. */
export function worstFigures(family: string): readonly string[] {
  const quantities = new Map<string, (Worst & { readonly isa: string })[]>();
  for (const [key, figure] of worst) {
    const [of, dtype, quantity, isa = ""] = key.split("\t");
    if (of !== family) continue;
    const title = `${dtype} ${quantity}`;
    quantities.set(title, [...(quantities.get(title) ?? []), { ...figure, isa }]);
  }
  return [...quantities].map(([title, figures]) => {
    const [first] = figures.toSorted((one, other) => share(other) - share(one));
    const shares = figures.map((figure) => `${figure.isa} ${(100 * share(figure)).toPrecision(2)} %`);
    const top = `${first?.error.toExponential(1)} of ${first?.bar.toExponential(1)} (${first?.name})`;
    return `${family} ${title}: ${top}; ${shares.join(", ")}`;
  });
}

function share({ error, bar }: Worst): number {
  return error === 0 ? 0 : error / bar;
}

/** Prints the worst figures of a family; for the end of its tests. */
export function printFigures(family: string): void {
  for (const line of worstFigures(family)) console.log(`    ${line}`);
}
