// How messages write sizes. Must not import anything.

const units = [
  [1e9, 2, "GB"],
  [1e6, 1, "MB"],
  [1e3, 1, "KB"],
] as const;

/** `1.20 GB`, `3.4 MB`, `12 bytes`: what is small must not read as 0. */
export function sizeText(bytes: number): string {
  const unit = units.find(([size]) => bytes >= size);
  if (unit === undefined) return `${bytes} bytes`;
  const [size, digits, name] = unit;
  return `${(bytes / size).toFixed(digits)} ${name}`;
}
