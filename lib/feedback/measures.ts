// What is found out about a whole project, by name: all of it is read from the log's projections and takes a while where there
// is much, so that it runs on a thread of its own (store/measuring.ts). Must not write.

import { type Agreement, measureAgreement } from "./agreement.js";
import { type ModelRatings, type RateModels, rateModels } from "./model-ratings.js";
import { type GroupFacts, type PersonFacts, peopleFacts } from "./people.js";
import { type Progress, progressOf } from "./progress.js";
import type { Database } from "./store/tables.js";

interface Measuring {
  readonly reading: Database;
  readonly project: string;
}

/** Milliseconds since 1970. */
type Now = { readonly now: number };
type Seeded = { readonly seed: number; readonly draws: number };
type Rating = Omit<RateModels, "reading" | "project">;

export const measures = {
  progress: ({ reading, project }: Measuring, { now }: Now): Promise<Progress> =>
    progressOf(reading, project, now),
  people: async ({ reading, project }: Measuring, _: Record<string, never>): Promise<PeopleMeasure> => {
    const { people, groups, sides } = await peopleFacts(reading, project);
    return { people, gamma: sides.gamma, groups: groups.map(({ consensus: _all, ...facts }) => facts) };
  },
  ratings: (measuring: Measuring, input: Rating): Promise<ModelRatings> =>
    rateModels({ ...measuring, ...input }),
  agreement: (measuring: Measuring, input: Seeded): Promise<readonly Agreement[]> =>
    measureAgreement({ ...measuring, ...input }),
};

export interface PeopleMeasure {
  readonly people: readonly PersonFacts[];
  /** Log-odds by which everyone favours the left side. */
  readonly gamma: number;
  /** Of declared groups of annotators. */
  readonly groups: readonly Omit<GroupFacts, "consensus">[];
}

type Measures = typeof measures;
export type MeasureName = keyof Measures;
export type MeasureInput<Name extends MeasureName> = Parameters<Measures[Name]>[1];
export type MeasureOutput<Name extends MeasureName> = Awaited<ReturnType<Measures[Name]>>;
