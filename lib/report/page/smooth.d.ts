// Types of smooth.js, which pages carry as it is.

export function smooth(
  values: readonly (number | null | undefined)[],
  weight: number,
): readonly (number | null)[];
