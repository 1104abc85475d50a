// Sums of weighted outer products, M += sum of w v v', gathered in blocks: what Hessians and covariances are made of.
// Must not know what the vectors are.

/** Vectors held back until they are worth one pass over the matrix. */
const BLOCK = 128;

/** Adds up outer products of vectors of one size. Memory: the matrix and one block. */
export class GramSum {
  readonly #size: number;
  /** [size x size], lower half. */
  readonly #matrix: Float64Array;
  /** [size x BLOCK]: a dimension's entries beside each other, as the products walk through them. */
  readonly #block: Float64Array;
  #held = 0;

  constructor(size: number) {
    this.#size = size;
    this.#matrix = new Float64Array(size * size);
    this.#block = new Float64Array(size * BLOCK);
  }

  /** += weight v v'; weight >= 0. */
  add(v: Float64Array, weight = 1): void {
    const scale = Math.sqrt(weight);
    for (let i = 0; i < this.#size; i++) this.#block[i * BLOCK + this.#held] = scale * (v[i] ?? 0);
    this.#held += 1;
    if (this.#held === BLOCK) this.#flush();
  }

  /** [size x size] symmetric: factor times the sum, plus `diagonal` on the diagonal. */
  matrix({
    factor = 1,
    diagonal = 0,
  }: {
    readonly factor?: number;
    readonly diagonal?: number;
  } = {}): Float64Array {
    this.#flush();
    const size = this.#size;
    const whole = new Float64Array(size * size);
    for (let row = 0; row < size; row++) {
      for (let column = 0; column <= row; column++) {
        const value = factor * (this.#matrix[row * size + column] ?? 0) + (row === column ? diagonal : 0);
        whole[row * size + column] = value;
        whole[column * size + row] = value;
      }
    }
    return whole;
  }

  #flush(): void {
    const [size, matrix, block, held] = [this.#size, this.#matrix, this.#block, this.#held];
    for (let row = 0; row < size; row++) {
      let column = 0;
      // Four columns share each load of the row.
      for (; column + 3 <= row; column += 4) {
        let [sum0, sum1, sum2, sum3] = [0, 0, 0, 0];
        const [at, b0, b1, b2, b3] = [
          row * BLOCK,
          column * BLOCK,
          (column + 1) * BLOCK,
          (column + 2) * BLOCK,
          (column + 3) * BLOCK,
        ];
        for (let i = 0; i < held; i++) {
          const value = block[at + i] ?? 0;
          sum0 += value * (block[b0 + i] ?? 0);
          sum1 += value * (block[b1 + i] ?? 0);
          sum2 += value * (block[b2 + i] ?? 0);
          sum3 += value * (block[b3 + i] ?? 0);
        }
        const into = row * size + column;
        matrix[into] = (matrix[into] ?? 0) + sum0;
        matrix[into + 1] = (matrix[into + 1] ?? 0) + sum1;
        matrix[into + 2] = (matrix[into + 2] ?? 0) + sum2;
        matrix[into + 3] = (matrix[into + 3] ?? 0) + sum3;
      }
      for (; column <= row; column++) {
        let sum = 0;
        for (let i = 0; i < held; i++)
          sum += (block[row * BLOCK + i] ?? 0) * (block[column * BLOCK + i] ?? 0);
        matrix[row * size + column] = (matrix[row * size + column] ?? 0) + sum;
      }
    }
    this.#held = 0;
  }
}
