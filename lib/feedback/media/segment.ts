// A segment of a control task: what was seen and done, step by step; and the row that a judged pair of them becomes.
// Pure; must not know the store.

import { z } from "zod";

const MOST_STEPS = 10_000;
const MOST_WIDTH = 4_096;

/** [steps][width], every step as wide as the first. */
const numbers = z
  .array(z.array(z.number()).min(1).max(MOST_WIDTH))
  .min(1)
  .max(MOST_STEPS)
  .refine((rows) => rows.every(({ length }) => length === rows[0]?.length), "expected steps of one width");

export const segment = z
  .strictObject({
    obs: numbers.describe("what was seen, [steps][width]"),
    act: numbers.describe("what was done, [steps][width]"),
  })
  .refine(({ obs, act }) => obs.length === act.length, "expected as many steps in obs as in act");
export type Segment = z.infer<typeof segment>;

/** Of observations and of actions. */
export function widthsOf({ obs, act }: Segment): readonly [obs: number, act: number] {
  return [obs[0]?.length ?? 0, act[0]?.length ?? 0];
}

/** A row of kind `segments`: `label` is P(the first one is preferred): 1, 0, 0.5 for a tie, or in between. */
export const segmentRow = z
  .looseObject({
    segments: z.tuple([segment, segment]),
    label: z.number().min(0).max(1),
    weight: z.number().min(0).optional(),
    source: z.array(z.string().min(1)).min(1),
    annotators: z.array(z.string().min(1)),
    split: z.enum(["train", "valid", "test"]),
  })
  .refine(
    ({ segments: [first, second] }) => String(widthsOf(first)) === String(widthsOf(second)),
    "expected two segments of the same widths",
  );
export type SegmentRow = z.infer<typeof segmentRow>;
