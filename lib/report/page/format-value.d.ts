// Types of format-value.js, which pages carry as it is.

export function formatNumber(value: number): string;
export function formatValue(value: number, unit: string): string;
