// What options ask for that a run does without: a reference, evaluation prompts, a gold score. Must not open models.

import { fail } from "../../errors/index.js";
import type { OnlineSettings } from "./online-settings.js";

export interface ReferenceNeeds {
  readonly settings: Pick<OnlineSettings, "reference" | "referenceOffload" | "stopOn">;
  /** Whether training compares with a reference. */
  readonly compares: boolean;
  /** Whether there are evaluation prompts, whose answers are compared with it in any case. */
  readonly evaluates: boolean;
}

/** Throws ATTUNE_OPTION where something would wait for a KL that nothing measures. */
export function checkReference({ settings, compares, evaluates }: ReferenceNeeds): void {
  if (compares || evaluates) return;
  const asked = {
    reference: settings.reference !== undefined,
    "reference-offload": settings.referenceOffload,
    "stop-on": settings.stopOn?.includes("kl-budget") === true,
  };
  const option = Object.entries(asked).find(([, given]) => given)?.[0];
  if (option === undefined) return;
  const found = option === "stop-on" ? "kl-budget in stop-on" : option;
  const text = `Expected no ${found} here: neither the loss nor an evaluation compares with a reference.`;
  throw fail("ATTUNE_OPTION", `${text} Give eval-data, or a loss or beta that compares.`, {
    details: { option },
  });
}

export interface GoldNeeds {
  readonly settings: Pick<OnlineSettings, "stopOn" | "stopRule" | "missingEos" | "missingEosValue">;
  /** Whether there are evaluation prompts. */
  readonly evaluates: boolean;
  /** Whether something gives a gold score. */
  readonly gold: boolean;
}

const ofGold: readonly string[] = ["reward-up-gold-down", "reward-up-win-rate-down"];

/** Throws ATTUNE_OPTION for what would be accepted and then do nothing. */
export function checkGold({ settings, evaluates, gold }: GoldNeeds): void {
  const { stopOn, stopRule, missingEos, missingEosValue } = settings;
  const refuse = (option: string, text: string) => fail("ATTUNE_OPTION", text, { details: { option } });
  const advice = "Give --eval-data and --gold-model or --gold-function.";
  if (stopRule && !(evaluates && gold)) {
    const text = "Expected evaluation prompts and a gold score beside stop-rule: it compares gold scores.";
    throw refuse("stop-rule", `${text} ${advice}`);
  }
  const waiting = stopOn?.find((name) => ofGold.includes(name));
  if (waiting !== undefined && !(evaluates && gold)) {
    const text = `Expected evaluation prompts and a gold score beside stop-on ${waiting}: nothing else can raise it.`;
    throw refuse("stop-on", `${text} ${advice}`);
  }
  if (gold && !evaluates) {
    const text = "Expected evaluation prompts beside a gold score: it is of the answers to them.";
    throw refuse("eval-data", `${text} Give --eval-data.`);
  }
  if (missingEos === "none" && missingEosValue !== undefined)
    throw refuse(
      "missing-eos-value",
      "Expected no missing-eos-value beside missing-eos none, which treats no answer.",
    );
}

/** Throws ATTUNE_OPTION where there is nothing whose layers could be kept elsewhere. */
export function checkRewardOffload({
  rewardOffload,
  rewardModel = [],
  goldModel = [],
}: Pick<OnlineSettings, "rewardOffload" | "rewardModel" | "goldModel">): void {
  if (!rewardOffload || rewardModel.length + goldModel.length > 0) return;
  const text =
    "Expected reward-model or gold-model beside reward-offload: it is of models that are loaded by path.";
  throw fail("ATTUNE_OPTION", `${text} Leave it out.`, { details: { option: "reward-offload" } });
}
