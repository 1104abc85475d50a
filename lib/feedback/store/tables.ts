// The tables of the store, as kysely sees them. `events` is the truth; projections are folded from it (fold.ts) and can be
// dropped; the rest belongs to this installation: secrets, drafts, deliveries. Types only.
//
// What both databases have: texts, whole numbers (times in milliseconds, 0 and 1 for no and yes) and doubles; JSON is text.

import type { Kysely } from "kysely";
import type { EventType } from "../event.js";
import type { AssignmentState, ItemState, Purpose } from "../states.js";

/** One row for each event of a project; `seq` has no gaps. */
export interface EventsTable {
  project: string;
  seq: number;
  id: string;
  time: number;
  type: EventType;
  actor: string;
  /** JSON */
  body: string;
  /** Of the body's form. */
  version: number;
}

/** The last `seq` of each project and its time: the row is locked by whoever appends. */
export interface SequencesTable {
  project: string;
  seq: number;
  time: number;
}

export interface ProjectsTable {
  project: string;
  name: string;
  /** JSON of ProjectSettings. */
  settings: string;
  guidelines: number;
  created: number;
  /** Items that were ever added: the next one's number. */
  item_count: number;
  annotator_count: number;
  policy_count: number;
}

export interface GuidelinesTable {
  project: string;
  version: number;
  text: string;
  time: number;
}

export interface ItemsTable {
  project: string;
  item: string;
  number: number;
  external_id: string | null;
  state: ItemState;
  /** JSON */
  asks: string;
  prompt: string;
  answers: string;
  metadata: string | null;
  /** Hash of the prompt: items that share it share the split and a discount of their priority. */
  prompt_hash: string;
  split: "train" | "valid" | "test";
  priority: number;
  unsafe: number;
  /** Judgements that are wanted, and open leases and judgements that count. */
  slots: number;
  /** Of these, those before anybody disagreed; null: it was judged elsewhere. */
  planned: number | null;
  taken: number;
  judged: number;
  /** JSON of the values that are right; null: no gold. */
  gold: string | null;
  created: number;
}

export interface AssignmentsTable {
  project: string;
  assignment: string;
  item: string;
  annotator: string;
  state: AssignmentState;
  purpose: Purpose;
  until: number;
  created: number;
  /** JSON: the answers in the order in which they are shown. */
  shown: string;
  /** Of being chosen for this person among `available` items; 1 for hidden checks. */
  propensity: number;
  available: number;
  /** Drawn uniformly, not by priority. */
  random: number;
  guidelines: number;
  /** Of the item; those that a person has had lately are counted. */
  unsafe: number;
}

export interface JudgementsTable {
  project: string;
  judgement: string;
  seq: number;
  assignment: string;
  item: string;
  annotator: string;
  purpose: Purpose;
  /** JSON of JudgementValue[]; positions are those shown. */
  given: string;
  /** 0: came too late for a slot; it counts for agreement alone. */
  counts: number;
  withdrawn: number;
  /** 1: of a pair somebody said that it cannot be compared. */
  incomparable: number;
  created: number;
  active_ms: number;
  keys_used: number;
}

export interface SkipsTable {
  project: string;
  assignment: string;
  item: string;
  annotator: string;
  reason: string;
  note: string | null;
  created: number;
}

export interface AnnotatorsTable {
  project: string;
  annotator: string;
  /** Counts the project's annotators: names their random streams. */
  number: number;
  name: string;
  /** Declared by themselves or the owner; consensus is also given by group. */
  declared_group: string | null;
  created: number;
  /** Leases ever given, which name the place in their random streams; judgements that were not taken back. */
  lease_count: number;
  judgement_count: number;
}

export interface PoliciesTable {
  project: string;
  policy: string;
  number: number;
  model: string;
  checkpoint: string | null;
  created: number;
}

// ---- what no event says

/** Secrets of those who may call; a token is its id and a secret, of which a hash is kept. */
export interface TokensTable {
  token: string;
  /** Null: all projects. */
  project: string | null;
  role: "owner" | "annotator" | "trainer" | "reader";
  annotator: string | null;
  name: string;
  salt: string;
  hash: string;
  created: number;
  expires: number | null;
  revoked: number | null;
}

/** Random keys, made with the project: of names in exports, of webhooks' signatures. */
export interface SecretsTable {
  project: string;
  name: "pseudonyms";
  value: string;
}

/** What was answered to a call that may come again. */
export interface RepliesTable {
  project: string;
  annotator: string;
  key: string;
  body_hash: string;
  reply: string;
  time: number;
}

export interface DraftsTable {
  project: string;
  assignment: string;
  body: string;
  time: number;
}

/** What answers hold beside their text: frames of images and clips, segments. Written with the item's event, dropped with it. */
export interface MediaTable {
  project: string;
  item: string;
  /** As it was added. */
  answer: number;
  /** A frame, from 0; -1: a clip's segment. */
  part: number;
  /** Of an image's bytes; application/json of a segment. */
  type: string;
  /** Base64, or JSON. */
  data: string;
}

/** Which judgements an export has given out: those that are withdrawn later must be named. */
export interface ExportsTable {
  project: string;
  judgement: string;
  time: number;
}

/** An owner's address that is told what happens, and how far it has been told. */
export interface WebhooksTable {
  webhook: string;
  project: string;
  url: string;
  /** JSON: the events' types that it hears of; none: all. */
  types: string;
  /** 1: bodies go out whole, with texts of people and models. */
  texts: number;
  /** Readable, unlike a token's: every delivery is signed with it. It goes out in no answer but the first, and in no log. */
  secret: string;
  created: number;
  /** Events up to this one were delivered, or lie among the dead. */
  seq: number;
  /** Failures since the last success, the first one's time, and when to try again. */
  attempts: number;
  failing_since: number | null;
  due: number;
  /** Why the last one failed. */
  reason: string | null;
}

/** Events that an address could not be told of. */
export interface DeadDeliveriesTable {
  webhook: string;
  seq: number;
  attempts: number;
  reason: string;
  time: number;
  /** 1: its owner wants it to be sent again. */
  again: number;
}

/** Of several processes on one store the one that does a work; `beat` counts its signs of life. */
export interface TurnsTable {
  name: string;
  owner: string;
  beat: number;
}

/** How far a loop is: what it has trained on, its policies, its rounds. */
export interface LoopsTable {
  project: string;
  /** JSON of LoopMemory. */
  memory: string;
  time: number;
}

/** How likely a judgement was said to be before anything was trained on it. */
export interface PredictionsTable {
  project: string;
  judgement: string;
  /** What predicted. */
  version: string;
  /** P(what the judgement then said), and -log of it, nats. */
  probability: number;
  loss: number;
  time: number;
}

export interface FeedbackTables {
  events: EventsTable;
  sequences: SequencesTable;
  projects: ProjectsTable;
  guidelines: GuidelinesTable;
  items: ItemsTable;
  assignments: AssignmentsTable;
  judgements: JudgementsTable;
  skips: SkipsTable;
  annotators: AnnotatorsTable;
  policies: PoliciesTable;
  tokens: TokensTable;
  secrets: SecretsTable;
  replies: RepliesTable;
  drafts: DraftsTable;
  media: MediaTable;
  exports: ExportsTable;
  webhooks: WebhooksTable;
  dead_deliveries: DeadDeliveriesTable;
  turns: TurnsTable;
  loops: LoopsTable;
  predictions: PredictionsTable;
}

/** Tables that `rebuild` empties and fills again from the events. */
export const projections = [
  "projects",
  "guidelines",
  "items",
  "assignments",
  "judgements",
  "skips",
  "annotators",
  "policies",
] as const satisfies readonly (keyof FeedbackTables)[];
export type Projection = (typeof projections)[number];

/** Columns that name a projection's row, behind `project`. */
export const projectionKeys = {
  projects: [],
  guidelines: ["version"],
  items: ["item"],
  assignments: ["assignment"],
  judgements: ["judgement"],
  skips: ["assignment"],
  annotators: ["annotator"],
  policies: ["policy"],
} as const satisfies Readonly<Record<Projection, readonly string[]>>;

export type Database = Kysely<FeedbackTables>;
/** Inside a transaction: what is written is kept together or not at all. */
export type Writing = Kysely<FeedbackTables>;
