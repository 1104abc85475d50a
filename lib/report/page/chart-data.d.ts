// Types of chart-data.js, which pages carry as it is.

export type Column = readonly (number | null)[];

export interface PageCurve {
  readonly steps: Column;
  readonly tokens: Column;
  readonly values: Column;
  readonly low?: Column;
  readonly high?: Column;
}

export interface PagePanel {
  readonly exact?: boolean;
  readonly series: readonly {
    readonly run: number;
    readonly train?: PageCurve;
    readonly evaluation?: PageCurve;
  }[];
}

/** Marks of a run: [marks] places and what each says. */
export interface PageAlarms {
  readonly run: number;
  readonly steps: Column;
  readonly tokens: Column;
  readonly texts: readonly (readonly string[])[];
}

export interface ChartView {
  readonly axis: "steps" | "tokens";
  readonly smoothing: number;
  readonly logarithmic: boolean;
  readonly hidden: ReadonlySet<number>;
}

export function chartTables(
  panel: PagePanel,
  view: ChartView,
  alarms?: readonly PageAlarms[],
): {
  readonly tables: readonly (readonly Column[])[];
  readonly columns: readonly { readonly run: number; readonly kind: string }[];
};
export function hasPoints(tables: readonly (readonly Column[])[]): boolean;
export function nearestLine(
  xs: readonly number[],
  column: readonly (number | null | undefined)[],
  index: number | null | undefined,
): number | null;
export function lineOfCurve(
  xs: readonly number[],
  column: readonly (number | null | undefined)[],
  index: number | null | undefined,
): number | null;
export function alarmsOf(
  panel: PagePanel,
  view: Pick<ChartView, "axis" | "hidden">,
  alarms: readonly PageAlarms[],
): readonly { readonly run: number; readonly x: number; readonly texts: readonly string[] }[];
