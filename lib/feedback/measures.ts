// What is found out about a whole project, by name: all of it is read from the log's projections and takes a while where there
// is much, so that it runs on a thread of its own (store/measuring.ts). Must not write.

import { fail } from "../errors/index.js";
import type { SideBias } from "../preference/index.js";
import { type Agreement, measureAgreement } from "./agreement.js";
import { type ModelRatings, type RateModels, rateModels } from "./model-ratings.js";
import { type GroupFacts, type PersonFacts, peopleFacts } from "./people.js";
import { type Progress, progressOf } from "./progress.js";
import { declaredGroups } from "./read-judgements.js";
import type { Database } from "./store/tables.js";

interface Measuring {
  readonly reading: Database;
  readonly project: string;
}

/** Milliseconds since 1970. */
type Now = { readonly now: number };
/** Of annotators who declared this group alone; absent: of all. */
type Grouped = { readonly group?: string };
type Seeded = Grouped & { readonly seed: number; readonly draws: number };
type Rating = Grouped & Omit<RateModels, "reading" | "project" | "annotators">;

export const measures = {
  progress: ({ reading, project }: Measuring, { now }: Now): Promise<Progress> =>
    progressOf(reading, project, now),
  people: async ({ reading, project }: Measuring, _: Record<string, never>): Promise<PeopleMeasure> => {
    const { people, groups, sides } = await peopleFacts(reading, project);
    const { own: _own, ...side } = sides;
    return { people, side, groups: groups.map(({ consensus: _all, ...facts }) => facts) };
  },
  ratings: async (measuring: Measuring, { group, ...input }: Rating): Promise<ModelRatings> =>
    rateModels({ ...measuring, ...input, ...(await membersOf(measuring, group)) }),
  agreement: async (measuring: Measuring, { group, ...input }: Seeded): Promise<readonly Agreement[]> =>
    measureAgreement({ ...measuring, ...input, ...(await membersOf(measuring, group)) }),
};

/** @throws ATTUNE_NOT_FOUND for a group that nobody declared */
async function membersOf({ reading, project }: Measuring, group: string | undefined) {
  if (group === undefined) return {};
  const groups = await declaredGroups(reading, project);
  const members = [...groups].filter(([, own]) => own === group).map(([annotator]) => annotator);
  if (members.length > 0) return { annotators: new Set(members) };
  const known = [...new Set(groups.values())].sort();
  const there = known.length === 0 ? "nobody declared one" : `there are ${known.join(", ")}`;
  throw fail("ATTUNE_NOT_FOUND", `Expected a group of annotators but received "${group}", and ${there}.`, {
    details: { field: "group" },
  });
}

export interface PeopleMeasure {
  readonly people: readonly PersonFacts[];
  readonly side: SideBias;
  /** Of declared groups of annotators. */
  readonly groups: readonly Omit<GroupFacts, "consensus">[];
}

type Measures = typeof measures;
export type MeasureName = keyof Measures;
export type MeasureInput<Name extends MeasureName> = Parameters<Measures[Name]>[1];
export type MeasureOutput<Name extends MeasureName> = Awaited<ReturnType<Measures[Name]>>;
