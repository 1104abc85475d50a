// The models that score and judge beside a policy: reward models, and the value network. Adapters on the policy's base share
// it; whole models are loaded beside it. Must not sample or train.

import { mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { AdapterOptions, JobOptions, TrainableModel, WeightPlace } from "../../engine/contract.js";
import { createEngine, type Engine, isPeftFolder, type Model } from "../../engine/index.js";
import { peftBase } from "../../engine/peft-folder.js";
import { fail } from "../../errors/index.js";
import { warnUnlessOffloaded } from "../frozen-start.js";
import { hashOfFiles } from "../open-model.js";
import { adapterOf, type SharedSettings } from "../settings.js";

export interface RolesOptions {
  readonly policy: TrainableModel;
  readonly settings: SharedSettings & { readonly rewardOffload: boolean };
  readonly warn: (message: string) => void;
  readonly job: JobOptions;
}

/** A model of the run, and what tells it from others. */
export interface Role {
  readonly model: Model;
  readonly hash: string;
}

/** Opens models beside a policy and lets all of them go together. */
export class Roles {
  readonly #options: RolesOptions;
  readonly #opened: Model[] = [];
  /** By path: a reward model whose base the value network may share. */
  readonly #scorers = new Map<string, Model>();
  #engine: Engine | undefined;

  constructor(options: RolesOptions) {
    this.#options = options;
  }

  /** A reward model, whose layers the host keeps where that was asked for. Throws ATTUNE_MODEL for one that predicts tokens, and what loading throws. */
  async scorer(path: string): Promise<Role> {
    const { rewardOffload } = this.#options.settings;
    return this.#scorer(path, rewardOffload ? "host" : "device");
  }

  async #scorer(path: string, weights: WeightPlace): Promise<Role> {
    const known = this.#scorers.get(path);
    const model = known ?? (await this.#load(path, weights));
    this.#scorers.set(path, model);
    if (model.scoreHeads === 0) {
      const text = `Expected a model that scores answers (attune reward) but ${path} predicts tokens.`;
      throw fail("ATTUNE_MODEL", text, { details: { path } });
    }
    return { model, hash: await hashOfFiles(path, model, undefined) };
  }

  /** A value network that starts as a reward model: an adapter beside an adapter of the policy, else a whole copy. */
  async valueFrom(path: string): Promise<Role> {
    const scores = this.#scorers.has(path);
    // What is trained in full is not kept elsewhere.
    const scorer = await this.#scorer(path, "device");
    const adapter = this.#newAdapter();
    if (adapter === undefined && !scores) {
      // Nobody scores with it: it can be trained itself.
      this.#scorers.delete(path);
      return scorer;
    }
    if (adapter === undefined) return { model: await this.#load(path, "device"), hash: scorer.hash };
    const fromFolder = await isPeftFolder(path);
    return { model: await this.#add(scorer.model, fromFolder ? path : adapter), hash: scorer.hash };
  }

  /** A value network on the policy's own weights, whose head is 0. */
  async valueOfPolicy(): Promise<Role> {
    const { policy } = this.#options;
    const adapter = this.#newAdapter();
    const scoreHead = { init: "zero" } as const;
    if (adapter !== undefined) {
      const model = await asModel(policy).addAdapter(adapter, { scoreHead });
      this.#opened.push(model);
      return { model, hash: "policy" };
    }
    // Its weights may have been trained since they were loaded.
    const folder = await mkdtemp(join(tmpdir(), "attune-value-"));
    try {
      await policy.save(folder);
      const { dtype } = policy;
      const engine = await this.#engineOf();
      const model = await engine.loadModel(folder, { dtype, scoreHead, ...this.#options.job });
      this.#opened.push(model);
      return { model, hash: "policy" };
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }

  async close(): Promise<void> {
    for (const model of this.#opened.splice(0)) await model.dispose();
    await this.#engine?.dispose();
  }

  async #load(path: string, weights: WeightPlace): Promise<Model> {
    const { policy, job, warn } = this.#options;
    const shared =
      policy.adapter !== undefined && (await isPeftFolder(path)) && (await sameBase(path, policy));
    if (shared) {
      const model = await this.#add(asModel(policy), path);
      if (weights === "host") warnUnlessOffloaded(model, `reward-offload of ${path}`, warn, shared);
      return model;
    }
    const engine = await this.#engineOf();
    const model = await engine.loadModel(path, { dtype: policy.dtype, weights, ...job });
    this.#opened.push(model);
    if (weights === "host") warnUnlessOffloaded(model, `reward-offload of ${path}`, warn);
    return model;
  }

  async #add(base: Model, adapter: AdapterOptions | string): Promise<Model> {
    const model = await base.addAdapter(adapter);
    this.#opened.push(model);
    return model;
  }

  /** As the policy's; undefined where all of its weights are trained. */
  #newAdapter(): AdapterOptions | undefined {
    const { policy, settings } = this.#options;
    if (policy.adapter === undefined) return undefined;
    const asked = adapterOf(settings);
    if (typeof asked === "object") return asked;
    const { rank, alpha, rsLora } = policy.adapter;
    return { rank, alpha, rsLora, seed: settings.seed };
  }

  async #engineOf(): Promise<Engine> {
    const { settings, warn } = this.#options;
    const { device, threads } = settings;
    this.#engine ??= await createEngine({
      device,
      logger: { warn },
      ...(threads === undefined ? {} : { threads }),
    });
    return this.#engine;
  }
}

async function sameBase(adapterFolder: string, { source }: TrainableModel): Promise<boolean> {
  const [theirs, ours] = await Promise.all(
    [await peftBase(adapterFolder), source].map((path) => realpath(path).catch(() => path)),
  );
  return theirs === ours;
}

/** What `loadModel` and `addAdapter` give; a trainer knows the smaller contract. */
function asModel(policy: TrainableModel): Model {
  if (typeof (policy as Partial<Model>).addAdapter === "function") return policy as Model;
  throw fail("ATTUNE_OPTION", "Expected a model of engine.loadModel as policy.");
}
