// Colours and dashes of drawings: fixed and light for pictures, those of the page within it. Data only.

export interface Palette {
  readonly ink: string;
  readonly quiet: string;
  readonly grid: string;
  readonly paper: string;
  readonly runs: readonly string[];
}

/** For pictures that stand on any ground. */
export const printPalette: Palette = {
  ink: "#1b1f24",
  quiet: "#59636e",
  grid: "#e6e9ed",
  paper: "#ffffff",
  runs: ["#0072b2", "#c94f00", "#007f5f", "#b0478a", "#8a6d00", "#2b93c9", "#4a4a4a", "#7a3db8"],
};

/** Follows the light or dark colours of a page. */
export const pagePalette: Palette = {
  ink: "var(--ink)",
  quiet: "var(--quiet)",
  grid: "var(--grid)",
  paper: "var(--raised)",
  runs: [1, 2, 3, 4, 5, 6, 7, 8].map((run) => `var(--run-${run})`),
};

const dashes = ["", "8 4", "2 4", "12 4 2 4"];

/** Runs are told apart by colour and, where there are several, by dashes. */
export function runStyle(run: number, runs: number, palette: Palette) {
  const { length } = palette.runs;
  const colour = palette.runs[run % length] ?? palette.ink;
  const dash = runs > 1 ? (dashes[(run + Math.floor(run / length)) % dashes.length] ?? "") : "";
  return { colour, dash };
}
