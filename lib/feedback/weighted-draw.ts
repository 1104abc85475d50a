// Draws places in proportion to weights that change all the time: sums in a tree, so that a change and a draw take
// log(places) steps (Fenwick 1994). Must not know what the places are.

export class WeightedDraw {
  private weights = new Float64Array(64);
  /** tree[i] = sum of the weights of (i - lowest bit of i, i], counted from 1. */
  private tree = new Float64Array(65);
  private size = 0;

  get length(): number {
    return this.size;
  }

  /** Adds places up to `length`, of weight 0. */
  grow(length: number): void {
    if (length <= this.size) return;
    this.size = length;
    if (length <= this.weights.length) return;
    const weights = new Float64Array(2 * length);
    weights.set(this.weights);
    this.weights = weights;
    this.rebuild();
  }

  weight(place: number): number {
    return this.weights[place] ?? 0;
  }

  set(place: number, weight: number): void {
    const change = weight - this.weight(place);
    if (change === 0) return;
    this.weights[place] = weight;
    for (let i = place + 1; i < this.tree.length; i += i & -i) this.tree[i] = (this.tree[i] ?? 0) + change;
  }

  total(): number {
    let sum = 0;
    for (let i = this.weights.length; i > 0; i -= i & -i) sum += this.tree[i] ?? 0;
    return sum;
  }

  /** The place in which a running sum of weights passes `share` (0 to 1) of the total. */
  placeAt(share: number): number {
    let rest = share * this.total();
    let place = 0;
    let step = 1;
    while (2 * step < this.tree.length) step *= 2;
    for (; step > 0; step >>= 1) {
      const next = place + step;
      if (next < this.tree.length && (this.tree[next] ?? 0) <= rest) {
        rest -= this.tree[next] ?? 0;
        place = next;
      }
    }
    // Rounding may leave the sum behind the last weight.
    let found = Math.min(place, this.size - 1);
    while (found > 0 && this.weight(found) === 0) found -= 1;
    return found;
  }

  /** Sums again from the weights: what rounding has added up goes. */
  rebuild(): void {
    this.tree = new Float64Array(this.weights.length + 1);
    for (let i = 1; i < this.tree.length; i++) {
      this.tree[i] = (this.tree[i] ?? 0) + (this.weights[i - 1] ?? 0);
      const parent = i + (i & -i);
      if (parent < this.tree.length) this.tree[parent] = (this.tree[parent] ?? 0) + (this.tree[i] ?? 0);
    }
  }
}
