// Numbers as people read them, in pages and pictures alike. Pure; must not touch a document.

/** Four significant digits: `0.6931`, `2.1e-5`, `12,345`. */
export function formatNumber(value) {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "not a number" : String(value);
  const size = Math.abs(value);
  if (size === 0) return "0";
  if (size < 1e-3) return value.toExponential(1).replace(".0e", "e");
  if (size >= 1e7) return value.toExponential(2).replace("e+", "e");
  if (size >= 1000) return Math.round(value).toLocaleString("en-US");
  return String(Number(value.toPrecision(4)));
}

/** The same with what it is measured in, where that is no plain number. */
export function formatValue(value, unit) {
  if (unit === "bytes" && Number.isFinite(value))
    return value >= 1e9 ? `${(value / 1e9).toFixed(2)} GB` : `${(value / 1e6).toFixed(0)} MB`;
  if (unit === "ms" && Number.isFinite(value))
    return value >= 1000 ? `${formatNumber(value / 1000)} s` : `${formatNumber(value)} ms`;
  return formatNumber(value);
}
