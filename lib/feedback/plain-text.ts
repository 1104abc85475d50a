// Which texts both databases keep as they are in a column. Pure.

/** No NUL, which PostgreSQL refuses, and no half of a character, which SQLite would replace. */
export function isStorable(text: string): boolean {
  return !text.includes("\0") && !/\p{Surrogate}/u.test(text);
}

/** Of ids and names: one line, without control characters. */
export function isPlainText(text: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return isStorable(text) && !/[\u0000-\u001f\u007f]/.test(text);
}
