// Numbers, times and tables as people read them. Pure.

/** `1,234,567` */
export function grouped(value: number): string {
  return Math.round(value).toLocaleString("en-US");
}

/** Four significant digits, small ones with an exponent: `0.6931`, `2e-5`. */
export function short(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  if (size === 0) return "0";
  if (size < 1e-3) return value.toExponential(1).replace(".0e", "e");
  return size >= 1000 ? value.toFixed(0) : value.toPrecision(4);
}

/** `45 s`, `3 min 10 s`, `2 h 5 min` */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

/** `1.24 GB`, `312 MB` */
export function bytes(value: number): string {
  return value >= 1e9 ? `${(value / 1e9).toFixed(2)} GB` : `${Math.round(value / 1e6)} MB`;
}

/** Columns padded to their widest cell; the first row is the heading. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, cell.length);
  }
  const line = (row: readonly string[]) =>
    row
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join("  ")
      .trimEnd();
  const [heading, ...body] = rows.map(line);
  const rule = widths.map((width) => "-".repeat(width)).join("  ");
  return [heading, rule, ...body].join("\n");
}
