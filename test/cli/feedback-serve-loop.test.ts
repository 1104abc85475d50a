// `attune feedback serve --policy` as a process of its own: people judge over HTTP while it trains, it is ended in the middle
// of a round, and goes on where it was.

import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { createEngine } from "../../lib/engine/index.js";
import { type LoopStatus, openFeedbackStore } from "../../lib/feedback/index.js";
import { suiteFolder } from "../support/temporary-folder.js";
import { generation, loopPrompts, wordModel, wordRewardModel, wordWorth } from "./word-loop.js";

const main = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "lib", "cli", "main.ts");

/** Polls what changes in another process. @throws where that has ended */
async function until<Value>(service: Service, look: () => Promise<Value | undefined>): Promise<Value> {
  for (;;) {
    const value = await look();
    if (value !== undefined) return value;
    if (service.child.exitCode !== null) throw new Error(`the service has ended: ${service.errors()}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

interface Service {
  readonly child: ChildProcess;
  readonly ended: Promise<readonly [number | null, NodeJS.Signals | null]>;
  readonly errors: () => string;
  call(path: string, body?: unknown): Promise<{ readonly status: number; readonly body: never }>;
}

async function serve(args: readonly string[]): Promise<Service> {
  const child = spawn(process.execPath, ["--import", "tsx", main, "feedback", "serve", ...args], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let [stdout, stderr] = ["", ""];
  child.stderr.on("data", (piece: Buffer) => {
    stderr += piece.toString();
  });
  const ended = new Promise<readonly [number | null, NodeJS.Signals | null]>((resolve) =>
    child.on("close", (code, signal) => resolve([code, signal])),
  );
  await new Promise<void>((resolve, reject) => {
    child.stdout.on("data", (piece: Buffer) => {
      stdout += piece.toString();
      if (stdout.includes("\n")) resolve();
    });
    child.on("close", () => reject(new Error(stderr)));
  });
  const { url, link } = JSON.parse(stdout) as { readonly url: string; readonly link: string };
  const token = new URLSearchParams(new URL(link).hash.slice(1)).get("token");
  let keys = 0;
  return {
    child,
    ended,
    errors: () => stderr,
    async call(path, body) {
      keys += 1;
      const response = await fetch(`${url}${path}`, {
        method: body === undefined ? "GET" : "POST",
        headers: {
          authorization: `Bearer ${token}`,
          "idempotency-key": `${child.pid}-${keys}`,
          "content-type": "application/json",
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const text = await response.text();
      return { status: response.status, body: (text === "" ? null : JSON.parse(text)) as never };
    },
  };
}

/** As the service tells it, once its loop runs. */
async function status({ call }: Service): Promise<LoopStatus | undefined> {
  const answer = await call("/v1/loop");
  return answer.status === 200 ? answer.body : undefined;
}

/** One person judges what is asked, by what its words are worth. */
async function judge(service: Service, count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    const leased = await until(service, async () => {
      const { status: code, body } = await service.call("/v1/next");
      return code === 200 ? (body as { lease: string; answers: string[] }) : undefined;
    });
    const [left, right] = leased.answers.map((answer) => wordWorth(JSON.stringify(answer)));
    const choice = (left ?? 0) > (right ?? 0) ? "left" : "right";
    const values = [{ kind: "pair", choice }];
    const { status: code } = await service.call("/v1/judgements", { lease: leased.lease, values });
    expect(code).to.equal(200);
  }
}

describe("attune feedback serve with a policy", () => {
  const at = suiteFolder();

  it("trains while people judge, and goes on after it was ended in the middle of a round", async () => {
    const engine = await createEngine({ threads: 1 });
    const policy = await wordModel(at("policy"));
    const reward = await wordRewardModel(engine, policy, at("reward"));
    await engine.dispose();
    writeFileSync(
      at("prompts.jsonl"),
      loopPrompts.map((prompt) => `${JSON.stringify({ prompt })}\n`).join(""),
    );
    const args = [
      ...["--store", at("store"), "--port", "0", "--json", "--threads", "1", "--settle-ms", "0"],
      ...["--policy", policy, "--reward", reward, "--train", "dpo", "--prompts", at("prompts.jsonl")],
      ...["--output", at("rounds"), "--train-after", "12", "--queue", "40", "--no-stop-rule"],
      ...["--max-new-tokens", String(generation.maxNewTokens)],
    ];

    const first = await serve(args);
    await judge(first, 20);
    const begun = await afterRound(first, 1);
    expect(begun.history[0]).to.deep.include({ policy: "round-1", start: "round-0", replayed: 0 });
    await judge(first, 24);
    await until(first, async () => (existsSync(at("rounds", "round-2")) ? true : undefined));
    // People are served while it trains.
    expect((await first.call("/v1/me")).status).to.equal(200);
    first.child.kill("SIGTERM");
    expect(await first.ended).to.deep.equal([0, null]);
    expect(first.errors()).to.include("round 1: ").and.not.include("round 2: ").and.not.include("[ATTUNE_");
    expect(readdirSync(at("rounds"))).to.deep.equal(["round-1"]);

    const second = await serve(args);
    const { history, lag, waiting, policy: serving } = await afterRound(second, 2);
    expect(history[0]).to.deep.equal(begun.history[0]);
    expect(history[1]).to.deep.include({ policy: "round-2", start: "round-1" });
    expect([waiting, serving?.policy]).to.deep.equal([0, "round-2"]);
    expect(lag).to.deep.equal({ mean: null, most: null, stale: 0 });
    // What the round before it left in the queue.
    await judge(second, 3);
    await until(second, async () => ((await status(second))?.lag.mean === null ? undefined : true));
    second.child.kill("SIGTERM");
    expect(await second.ended).to.deep.equal([0, null]);
    expect(second.errors()).to.include(`round 2: ${history[1]?.fresh} new and ${history[1]?.replayed} older`);
    expect(readdirSync(at("rounds"))).to.have.members(["round-1", "round-2"]);
    await expectKept(at("store"), history);
  });
});

/** Told when the round is over and the new policy's answers are queued. */
function afterRound(service: Service, round: number): Promise<LoopStatus> {
  return until(service, async () => {
    const told = await status(service);
    return told?.rounds === round && told.openOfNewest > 0 ? told : undefined;
  });
}

/** Every judgement is there, and every one of a training prompt was new in one round. */
async function expectKept(folder: string, history: LoopStatus["history"]): Promise<void> {
  const store = await openFeedbackStore({ store: folder });
  try {
    const judged = await store.reading
      .selectFrom("judgements as j")
      .innerJoin("items as i", "i.item", "j.item")
      .select(["i.split", "j.seq", "j.purpose"])
      .orderBy("j.seq")
      .execute();
    expect(judged).to.have.length(47);
    const trained = judged
      .slice(0, 44)
      .filter(({ split, purpose }) => split === "train" && purpose === "work");
    expect(history.reduce((sum, { fresh }) => sum + fresh, 0)).to.equal(trained.length);
    const policies = await store.reading.selectFrom("policies").select("policy").orderBy("number").execute();
    expect(policies.map(({ policy }) => policy)).to.deep.equal(["round-0", "round-1", "round-2"]);
  } finally {
    await store.close();
  }
}
