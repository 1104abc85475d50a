// Lines of tables in Markdown. Pure.

import type { Spread } from "../lib/cli/bench-numbers.js";

export const spread = ({ median, least, most }: Spread): string => `${median} (${least} to ${most})`;

export const line = (cells: readonly string[]): string =>
  `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;

export const heading = (columns: readonly string[]): readonly string[] => [
  line(columns),
  line(columns.map(() => "---")),
];
