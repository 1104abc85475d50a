// What an event changes in the projections: a function of the event alone, so that folding the log again gives the same
// tables. Must not read or write any.

import type { FeedbackEvent } from "../event.js";
import type { JudgementValue } from "../judgement.js";
import type { FeedbackTables, Projection } from "./tables.js";

type Row<Table extends Projection> = Omit<FeedbackTables[Table], "project">;

/** A change to one row of a projection; `key` holds the columns behind `project`, in the order of projectionKeys. */
export type Effect = {
  readonly [Table in Projection]:
    | { readonly kind: "insert"; readonly table: Table; readonly row: Row<Table> }
    | {
        readonly kind: "update";
        readonly table: Table;
        readonly key: readonly (string | number)[];
        readonly set: Partial<Row<Table>>;
        /** Added to whole numbers. */
        readonly add?: Partial<Record<keyof Row<Table>, number>>;
      };
}[Projection];

export function effectsOf(event: FeedbackEvent): readonly Effect[] {
  const { time } = event;
  switch (event.type) {
    case "project.created":
      return [
        {
          kind: "insert",
          table: "projects",
          row: {
            name: event.body.name,
            settings: JSON.stringify(event.body.settings),
            guidelines: 0,
            created: time,
            item_count: 0,
            annotator_count: 0,
            policy_count: 0,
          },
        },
      ];
    case "project.changed":
      return [project({ set: { settings: JSON.stringify(event.body.settings) } })];
    case "project.guidelines": {
      const { version, text } = event.body;
      return [
        { kind: "insert", table: "guidelines", row: { version, text, time } },
        project({ set: { guidelines: version } }),
      ];
    }
    case "annotator.added":
      return [addedAnnotator(event), project({ add: { annotator_count: 1 } })];
    case "annotator.changed": {
      const { annotator, name, group = null } = event.body;
      return [
        { kind: "update", table: "annotators", key: [annotator], set: { name, declared_group: group } },
      ];
    }
    case "policy.registered": {
      const { policy, number, model, checkpoint = null } = event.body;
      return [
        { kind: "insert", table: "policies", row: { policy, number, model, checkpoint, created: time } },
        project({ add: { policy_count: 1 } }),
      ];
    }
    case "weights.fitted":
      return [];
    case "payload.redacted":
      return redactionOf(event.body);
    default:
      return effectsOfWork(event);
  }
}

type WorkEvent = FeedbackEvent<
  | "item.added"
  | "item.changed"
  | "item.closed"
  | "items.prioritised"
  | "gold.set"
  | "assignment.leased"
  | "assignment.renewed"
  | "assignment.expired"
  | "assignment.skipped"
  | "judgement.created"
  | "judgement.imported"
  | "judgement.withdrawn"
>;

function effectsOfWork(event: WorkEvent): readonly Effect[] {
  switch (event.type) {
    case "item.added":
      return [addedItem(event), project({ add: { item_count: 1 } })];
    case "item.changed": {
      const { state, slots, planned } = event.body;
      const set = { state, slots, ...(planned === undefined ? {} : { planned }) };
      return [item(event.body.item, { set })];
    }
    case "item.closed":
      return [item(event.body.item, { set: { state: "closed" } })];
    case "items.prioritised":
      return event.body.priorities.map(([name, priority]) => item(name, { set: { priority } }));
    case "gold.set": {
      const { right } = event.body;
      return [item(event.body.item, { set: { gold: right === null ? null : JSON.stringify(right) } })];
    }
    case "assignment.leased":
      return leased(event);
    case "assignment.renewed":
      return [assignment(event.body.assignment, { until: event.body.until })];
    case "assignment.expired":
      return [
        assignment(event.body.assignment, { state: "expired" }),
        item(event.body.item, { add: { taken: event.body.takes } }),
      ];
    case "assignment.skipped":
      return skipped(event);
    case "judgement.created":
      return judged(event);
    case "judgement.imported":
      return imported(event);
    case "judgement.withdrawn": {
      const { body } = event;
      const replaced = body.supersededBy !== undefined;
      return [
        { kind: "update", table: "judgements", key: [body.judgement], set: { withdrawn: 1 } },
        ...(replaced ? [] : [assignment(body.assignment, { state: "withdrawn" })]),
        item(body.item, { add: { taken: body.takes, judged: body.takes } }),
        annotatorRow(event.actor, { judgement_count: -1 }),
      ];
    }
  }
}

function project({
  set = {},
  add,
}: {
  set?: Partial<Row<"projects">>;
  add?: Partial<Record<keyof Row<"projects">, number>>;
}): Effect {
  return { kind: "update", table: "projects", key: [], set, ...(add === undefined ? {} : { add }) };
}

function item(
  key: string,
  { set = {}, add }: { set?: Partial<Row<"items">>; add?: Partial<Record<keyof Row<"items">, number>> },
): Effect {
  return { kind: "update", table: "items", key: [key], set, ...(add === undefined ? {} : { add }) };
}

function assignment(key: string, set: Partial<Row<"assignments">>): Effect {
  return { kind: "update", table: "assignments", key: [key], set };
}

function addedItem({ body, time }: FeedbackEvent<"item.added">): Effect {
  return {
    kind: "insert",
    table: "items",
    row: {
      item: body.item,
      number: body.number,
      external_id: body.externalId ?? null,
      state: body.state ?? "open",
      asks: JSON.stringify(body.asks),
      prompt: JSON.stringify(body.prompt),
      answers: JSON.stringify(body.answers),
      metadata: body.metadata === undefined ? null : JSON.stringify(body.metadata),
      prompt_hash: body.promptHash,
      split: body.split,
      priority: body.priority,
      unsafe: body.unsafe ? 1 : 0,
      slots: body.slots,
      // What comes with judgements from elsewhere is not waited for.
      planned: body.state === undefined ? body.slots : null,
      taken: 0,
      judged: 0,
      gold: null,
      created: time,
    },
  };
}

function addedAnnotator({ body, time }: FeedbackEvent<"annotator.added">): Effect {
  const { annotator, number, name, group = null } = body;
  return {
    kind: "insert",
    table: "annotators",
    row: {
      ...{ annotator, number, name, declared_group: group, created: time },
      ...{ lease_count: 0, judgement_count: 0 },
    },
  };
}

function annotatorRow(key: string, add: Partial<Record<keyof Row<"annotators">, number>>): Effect {
  return { kind: "update", table: "annotators", key: [key], set: {}, add };
}

function leased({ body, time }: FeedbackEvent<"assignment.leased">): readonly Effect[] {
  const row: Row<"assignments"> = {
    assignment: body.assignment,
    item: body.item,
    annotator: body.annotator,
    state: "leased",
    purpose: body.purpose,
    until: body.until,
    created: time,
    shown: JSON.stringify(body.shown),
    propensity: body.propensity,
    available: body.available,
    random: body.random ? 1 : 0,
    guidelines: body.guidelines,
    unsafe: body.unsafe === true ? 1 : 0,
  };
  // Hidden checks take no slot: they are asked over and above.
  const takes = body.purpose === "work" ? [item(body.item, { add: { taken: 1 } })] : [];
  return [
    { kind: "insert", table: "assignments", row },
    ...takes,
    annotatorRow(body.annotator, { lease_count: 1 }),
  ];
}

function skipped({ body, time }: FeedbackEvent<"assignment.skipped">): readonly Effect[] {
  return [
    assignment(body.assignment, { state: "skipped" }),
    {
      kind: "insert",
      table: "skips",
      row: {
        assignment: body.assignment,
        item: body.item,
        annotator: body.annotator,
        reason: body.reason,
        note: body.note ?? null,
        created: time,
      },
    },
    item(body.item, { set: { priority: body.priority }, add: { taken: body.takes } }),
  ];
}

function judged({ body, seq, time }: FeedbackEvent<"judgement.created">): readonly Effect[] {
  return [
    {
      kind: "insert",
      table: "judgements",
      row: {
        judgement: body.judgement,
        seq,
        assignment: body.assignment,
        item: body.item,
        annotator: body.annotator,
        purpose: body.purpose,
        given: JSON.stringify(body.values),
        counts: body.counts ? 1 : 0,
        withdrawn: 0,
        incomparable: incomparable(body.values),
        created: time,
        active_ms: body.activeMs,
        keys_used: body.keysUsed ? 1 : 0,
      },
    },
    assignment(body.assignment, { state: "submitted" }),
    annotatorRow(body.annotator, { judgement_count: 1 }),
    ...(body.purpose === "work" && body.counts
      ? [item(body.item, { add: { taken: body.takes, judged: 1 } })]
      : []),
  ];
}

function imported({ body, seq, time }: FeedbackEvent<"judgement.imported">): readonly Effect[] {
  const { judgement, assignment: name, item: of, annotator, purpose, takes } = body;
  const created = body.judgedAt ?? time;
  const own = { assignment: name, item: of, annotator, purpose, created };
  const shown = JSON.stringify(body.shown);
  const drawn = { propensity: 1, available: 1, random: 0, guidelines: 0, unsafe: 0 };
  const said = { given: JSON.stringify(body.values), incomparable: incomparable(body.values), withdrawn: 0 };
  return [
    {
      kind: "insert",
      table: "assignments",
      row: { ...own, state: "submitted", until: created, shown, ...drawn },
    },
    {
      kind: "insert",
      table: "judgements",
      row: { ...own, judgement, seq, ...said, counts: 1, active_ms: body.activeMs, keys_used: 0 },
    },
    item(of, { add: { taken: takes, judged: takes } }),
    annotatorRow(annotator, { judgement_count: 1 }),
  ];
}

function incomparable(values: readonly JudgementValue[]): number {
  return values.some((value) => value.kind === "pair" && value.choice === "cannot_compare") ? 1 : 0;
}

/** What stands where something was taken out. */
export const REDACTED = "[redacted]";

function redactionOf({
  item: of,
  judgement,
  skip,
}: FeedbackEvent<"payload.redacted">["body"]): readonly Effect[] {
  if (skip !== undefined) return [{ kind: "update", table: "skips", key: [skip], set: { note: null } }];
  if (judgement !== undefined) {
    const set = { given: "[]", withdrawn: 1, incomparable: 0 };
    return [{ kind: "update", table: "judgements", key: [judgement], set }];
  }
  if (of === undefined) return [];
  const text = JSON.stringify(REDACTED);
  return [item(of, { set: { state: "closed", prompt: text, answers: "[]", metadata: null, gold: null } })];
}
