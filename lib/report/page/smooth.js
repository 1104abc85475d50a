// Smooths a noisy curve, so that its course is seen. Pure; must not touch a document.

/**
 * Exponential moving average without the pull towards the first value; `weight` 0 changes nothing, towards 1 a value
 * counts ever less. What is no finite number stays a gap (null) and is left out of the average.
 */
export function smooth(values, weight) {
  let average = 0;
  let scale = 0;
  return values.map((value) => {
    if (value === null || value === undefined || !Number.isFinite(value)) return null;
    average = weight * average + (1 - weight) * value;
    scale = weight * scale + (1 - weight);
    return average / scale;
  });
}
