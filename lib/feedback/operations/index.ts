// Everything that changes a store, by name: both databases run the same. Each is all or nothing.
// Must not know databases.

import { fail } from "../../errors/index.js";
import { isStorable } from "../plain-text.js";
import { capture } from "./capture.js";
import { OperationContext, type OperationResources } from "./context.js";
import { recordDelivery } from "./deliveries.js";
import { saveDraft } from "./drafts.js";
import { importItems } from "./import.js";
import { addItems, closeItem, prioritise, setGold } from "./items.js";
import { restoreMedia } from "./keep-media.js";
import { saveLoop } from "./loop.js";
import { next, renew } from "./next.js";
import { addAnnotator, changeProject, createProject, registerPolicy, setGuidelines } from "./projects.js";
import { recordExport } from "./record-export.js";
import { redactItem, redactJudgement } from "./redact.js";
import { restoreEvents, restoreOwn } from "./restore.js";
import { skip } from "./skip.js";
import { revise, submit, undo } from "./submit.js";
import { keepToken, revokeToken } from "./tokens.js";
import { holdTurn, releaseTurn } from "./turns.js";
import { addWebhook, removeWebhook, replayWebhook } from "./webhooks.js";
import { widenItems } from "./widen.js";

const operations = {
  createProject,
  changeProject,
  setGuidelines,
  addAnnotator,
  registerPolicy,
  addItems,
  closeItem,
  setGold,
  prioritise,
  importItems,
  capture,
  recordExport,
  redactItem,
  redactJudgement,
  restoreEvents,
  restoreOwn,
  restoreMedia,
  next,
  renew,
  submit,
  revise,
  undo,
  skip,
  saveDraft,
  keepToken,
  revokeToken,
  addWebhook,
  removeWebhook,
  replayWebhook,
  recordDelivery,
  holdTurn,
  releaseTurn,
  saveLoop,
  widenItems,
};

type Operations = typeof operations;
export type OperationName = keyof Operations;
export type OperationInput<Name extends OperationName> = Parameters<Operations[Name]>[1];
export type OperationOutput<Name extends OperationName> = Awaited<ReturnType<Operations[Name]>>;

export interface OperationCall<Name extends OperationName = OperationName> {
  readonly project: string;
  readonly name: Name;
  readonly input: OperationInput<Name>;
}

/** Inside a transaction, which ends otherwise. */
export async function runOperation(resources: OperationResources, call: OperationCall): Promise<unknown> {
  requireStorable(call.input);
  const context = new OperationContext(resources, call.project);
  // The names tie each input to its operation where calls are made.
  const run = operations[call.name] as (
    context: OperationContext,
    input: unknown,
    resources: OperationResources,
  ) => Promise<unknown>;
  return run(context, call.input, resources);
}

/** Ids, names and notes: both databases keep them or neither. Contents are kept as JSON, whatever is in them. */
function requireStorable(input: object): void {
  for (const [field, value] of Object.entries(input)) {
    if (typeof value !== "string" || isStorable(value)) continue;
    throw fail("ATTUNE_DATA", `${field}: expected text without NUL and without halves of characters.`, {
      details: { field },
    });
  }
}

export type { Capture, Captured } from "./capture.js";
export type { OperationResources } from "./context.js";
export { type DeliveryOutcome, SENDING } from "./deliveries.js";
export { loopTurn } from "./loop.js";
export type { Lease } from "./next.js";
export type { Submitted } from "./submit.js";
export type { Turn } from "./turns.js";
