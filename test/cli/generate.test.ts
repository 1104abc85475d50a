// `attune generate` from end to end on a tiny model: prompts, files, conversations, Ctrl-C, bad input.

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { expect } from "chai";
import { createEngine } from "../../lib/engine/index.js";
import { loadTokenizer } from "../../lib/text/index.js";
import { suiteFolder } from "../support/temporary-folder.js";
import { writeTinyModel } from "../support/tiny-model.js";
import { type CommandLineOptions, commandLine } from "./command-line.js";

const template =
  "{% for message in messages %}<{{ message.role }}>{{ message.content }}{{ eos_token }}{% endfor %}" +
  "{% if add_generation_prompt %}<assistant>{% endif %}";

interface Line {
  readonly prompt: unknown;
  readonly completion: unknown;
  readonly sample: number;
  readonly ids: readonly number[];
  readonly logprobs: readonly number[];
  readonly finish: string;
}

describe("attune generate", () => {
  const at = suiteFolder();
  before(() => {
    writeTinyModel({ folder: at("plain") });
    writeTinyModel({ folder: at("chat") });
    writeFileSync(at("chat", "chat_template.jinja"), template);
  });

  const generate = (args: readonly string[], options: CommandLineOptions = {}, model = "plain") =>
    commandLine(["generate", "--model", at(model), "--max-new-tokens", "6", ...args], options);
  const linesOf = (text: string) =>
    text
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as Line);

  it("prints nothing but the answer for one prompt", async () => {
    const { code, stdout, stderr } = await generate(["--prompt", "ab", "--json"]);
    const plain = await generate(["--prompt", "ab"]);
    expect([code, plain.code]).to.deep.equal([0, 0]);
    expect(plain.stdout).to.equal(`${linesOf(stdout)[0]?.completion as string}\n`);
    expect([stderr, plain.stderr]).to.deep.equal(["", ""]);
  });

  it("refuses a system message beside a text that is continued as it stands", async () => {
    const args = ["--prompt", "ab", "--system", "Be brief."];
    const { code, stderr, stdout } = await generate(args, {}, "chat");
    expect([code, stdout]).to.deep.equal([2, ""]);
    expect(stderr).to.include("--apply-chat-template");
    expect((await generate([...args, "--apply-chat-template"], {}, "chat")).code).to.equal(0);
  });

  it("refuses an output that cannot be written before it samples", async () => {
    const { code, stderr } = await generate(["--prompt", "ab", "--output", at("none", "answers.jsonl")]);
    expect(code).to.equal(2);
    expect(stderr).to.match(/^attune: Cannot write .*answers\.jsonl.*\[ATTUNE_OUTPUT\]\n$/);
  });

  it("prints what the library samples with the same options", async () => {
    const { stdout } = await generate(["--prompt", "ab", "--json", "--temperature", "0.7", "--seed", "5"]);
    await using engine = await createEngine();
    const model = await engine.loadModel(at("plain"));
    const [answer] = await model.complete("ab", { maxNewTokens: 6, temperature: 0.7, seed: 5 });
    expect(linesOf(stdout)[0]?.ids).to.deep.equal(Array.from(answer?.ids ?? []));
    expect(linesOf(stdout)[0]?.logprobs).to.deep.equal(Array.from(answer?.logprobs ?? []));
  });

  it("heads each answer with its number where there are several, in order", async () => {
    const { stdout, stderr } = await generate(["--prompt", "ab", "--prompt", "c", "--samples", "2"]);
    expect(stdout.match(/^--- .*$/gm)).to.deep.equal([
      "--- prompt 1, sample 1",
      "--- prompt 1, sample 2",
      "--- prompt 2, sample 1",
      "--- prompt 2, sample 2",
    ]);
    expect(stderr).to.include("4 of 4 answers");
  });

  it("answers a file of rows into a file of rows", async () => {
    const rows = [{ prompt: "a b" }, { prompt: "c", kind: "hard" }];
    writeFileSync(at("prompts.jsonl"), rows.map((row) => JSON.stringify(row)).join("\n"));
    const { code, stdout } = await generate([
      "--prompts",
      at("prompts.jsonl"),
      "--output",
      at("answers.jsonl"),
    ]);
    expect([code, stdout]).to.deep.equal([0, ""]);
    const lines = linesOf(readFileSync(at("answers.jsonl"), "utf8"));
    expect(lines.map(({ prompt }) => prompt)).to.deep.equal(["a b", "c"]);
    for (const { completion, ids } of lines) {
      expect(completion).to.be.a("string");
      expect(ids.length).to.be.within(1, 6);
    }
  });

  it("does not write over a file", async () => {
    writeFileSync(at("there.jsonl"), "precious");
    const { code, stderr } = await generate(["--prompt", "a", "--output", at("there.jsonl")]);
    expect(code).to.equal(2);
    expect(stderr).to.include("ATTUNE_OUTPUT_EXISTS");
    expect(readFileSync(at("there.jsonl"), "utf8")).to.equal("precious");
  });

  it("ends an answer at a stop token given by its id or its spelling", async () => {
    const greedy = ["--prompt", "ab", "--json", "--temperature", "0"];
    const [first] = linesOf((await generate(greedy)).stdout);
    const tokenizer = await loadTokenizer({ path: at("plain") });
    const id = first?.ids[0] ?? 0;
    for (const token of [String(id), tokenizer.tokenOf(id) ?? ""]) {
      const [stopped] = linesOf((await generate([...greedy, "--stop-token", token])).stdout);
      expect(stopped, token).to.deep.include({ finish: "stop", ids: [id] });
    }
  });

  it("makes a prompt a user's message where it is told to", async () => {
    const { stdout } = await generate(
      ["--prompt", "hi", "--system", "be kind", "--apply-chat-template", "--json"],
      {},
      "chat",
    );
    expect(linesOf(stdout)[0]?.prompt).to.deep.equal([
      { role: "system", content: "be kind" },
      { role: "user", content: "hi" },
    ]);
    expect(linesOf(stdout)[0]?.completion).to.be.an("array");
  });

  it("interrupted, keeps what is finished and exits with 130", async () => {
    const args = ["--prompt", "a", "--prompt", "b", "--json", "--batch-size", "1", "--max-new-tokens", "200"];
    let interrupted = false;
    const { code, stdout } = await generate(args, {
      onOutput: (_, interrupt) => {
        if (!interrupted) interrupt();
        interrupted = true;
      },
    });
    expect(code).to.equal(130);
    expect(linesOf(stdout).map(({ prompt }) => prompt)).to.deep.equal(["a"]);
  });

  const bad: readonly [string, () => string[], string, string][] = [
    [
      "a stop token that is none",
      () => ["--prompt", "a", "--stop-token", "no such"],
      "ATTUNE_OPTION",
      "--stop-token",
    ],
    ["a file without prompts", () => ["--prompts", at("plain", "config.json")], "ATTUNE_DATA", "config.json"],
    ["a chat without a template", () => ["--chat"], "ATTUNE_TEMPLATE", "--chat-template"],
    ["an adapter that is missing", () => ["--prompt", "a", "--adapter", at("none")], "ATTUNE_FILE", "none"],
    [
      "a temperature below 0",
      () => ["--prompt", "a", "--temperature", "-1"],
      "ATTUNE_OPTION",
      "--temperature",
    ],
  ];
  for (const [what, args, errorCode, text] of bad) {
    it(`answers ${what} with one message and exit code 2`, async () => {
      const { code, stdout, stderr } = await generate(args());
      expect(stderr).to.match(/^attune: .*\[ATTUNE_[A-Z_]+\]\n$/s);
      expect(stderr).to.include(errorCode).and.include(text);
      expect([code, stdout]).to.deep.equal([2, ""]);
    });
  }

  describe("--chat", () => {
    const chat = (options: CommandLineOptions, ...args: string[]) =>
      generate(["--chat", "--json", ...args], options, "chat");

    it("answers each line of the input with the conversation so far", async () => {
      const { code, stdout } = await chat({ input: ["hi", "", "and now?"] });
      expect(code).to.equal(0);
      const [first, second] = linesOf(stdout);
      const [answer] = (first?.completion ?? []) as readonly { readonly content: string }[];
      expect(second?.prompt).to.deep.equal([
        { role: "user", content: "hi" },
        answer,
        { role: "user", content: "and now?" },
      ]);
    });

    it("puts the system message in front without showing it in the history", async () => {
      const one = linesOf((await chat({ input: ["hi"] }, "--seed", "1")).stdout)[0];
      const other = linesOf((await chat({ input: ["hi"] }, "--seed", "1", "--system", "shout")).stdout)[0];
      expect(one?.prompt).to.deep.equal(other?.prompt);
      expect(one?.ids).to.not.deep.equal(other?.ids);
    });

    it("forgets at /reset, leaves at /exit, and names commands it does not know", async () => {
      const { stdout, stderr } = await chat({ input: ["hi", "/reset", "again", "/rest", "/exit", "never"] });
      const prompts = linesOf(stdout).map(({ prompt }) => (prompt as unknown[]).length);
      expect(prompts).to.deep.equal([1, 1]);
      expect(stderr).to.include('Unknown command "/rest". Did you mean "/reset"?');
    });

    it("leaves old turns out when the conversation outgrows the model, and says so", async () => {
      const long = "a".repeat(100);
      const { code, stderr } = await chat({ input: [long, long, long, long] });
      expect(code).to.equal(0);
      expect(stderr).to.match(/no longer fits the model's 256 tokens: \d old turns left out/);
    });

    it("ends an answer at the first Ctrl-C and goes on", async () => {
      let interrupted = false;
      const { code, stdout } = await generate(
        ["--chat", "--max-new-tokens", "100", "--stop-token", "0"],
        {
          input: ["hi", "/exit"],
          onOutput: (_, interrupt) => {
            if (!interrupted) interrupt();
            interrupted = true;
          },
        },
        "chat",
      );
      expect(code).to.equal(0);
      expect(Buffer.byteLength(stdout)).to.be.below(50);
    });

    it("leaves with 130 at the second Ctrl-C in a row", async () => {
      const { code, stderr } = await chat({ onWaiting: (interrupt) => [interrupt(), interrupt()] });
      expect(code).to.equal(130);
      expect(stderr).to.include("Ctrl-C again, or /exit, leaves.");
    });
  });
});

describe("attune convert", () => {
  const at = suiteFolder();
  before(() => {
    writeTinyModel({ folder: at("base") });
  });

  const rows = [{ prompt: "ab", completion: "cd" }];

  it("writes a folder with the same log-probs", async () => {
    const { code, stdout } = await commandLine([
      "convert",
      "--model",
      at("base"),
      "--output",
      at("copy"),
      "--json",
    ]);
    expect(code).to.equal(0);
    expect(JSON.parse(stdout)).to.deep.include({ folders: [at("copy")], dtype: "fp32", kind: "copied" });
    await using engine = await createEngine();
    const [before, after] = [await engine.loadModel(at("base")), await engine.loadModel(at("copy"))];
    expect(await after.logprobs(rows)).to.deep.equal(await before.logprobs(rows));
  });

  it("changes the number format", async () => {
    expect(
      (await commandLine(["convert", "--model", at("base"), "--output", at("half"), "--dtype", "bf16"])).code,
    ).to.equal(0);
    const size = (name: string) => readFileSync(at(name, "model.safetensors")).length;
    expect(size("half")).to.be.below(0.6 * size("base"));
  });

  it("merges an adapter", async () => {
    await using engine = await createEngine();
    const base = await engine.loadModel(at("base"));
    const tuned = await base.addAdapter({ rank: 2 });
    await tuned.save(at("adapter"));
    const { code, stdout } = await commandLine([
      "convert",
      "--model",
      at("base"),
      "--adapter",
      at("adapter"),
      "--output",
      at("merged"),
    ]);
    expect(code).to.equal(0);
    expect(stdout).to.include("adapter merged");
    expect(stdout).to.match(new RegExp(`^${base.parameters.toLocaleString("en-US")} parameters`));
    expect(existsSync(at("merged", "model.safetensors"))).to.equal(true);
    expect(existsSync(at("merged", "adapter_config.json"))).to.equal(false);
  });

  it("writes base and adapter apart", async () => {
    await using engine = await createEngine();
    await (await engine.loadModel(at("base"), { adapter: { rank: 2 } })).save(at("adapter-2"));
    const args = [
      "convert",
      "--model",
      at("base"),
      "--adapter",
      at("adapter-2"),
      "--split",
      "--output",
      at("apart"),
    ];
    expect((await commandLine(args)).code).to.equal(0);
    expect(existsSync(at("apart", "base", "model.safetensors"))).to.equal(true);
    expect(existsSync(at("apart", "adapter", "adapter_model.safetensors"))).to.equal(true);
  });

  it("does not write into a folder that holds something", async () => {
    const { code, stderr } = await commandLine(["convert", "--model", at("base"), "--output", at("base")]);
    expect(code).to.equal(2);
    expect(stderr).to.match(/\[ATTUNE_OUTPUT(_EXISTS)?\]\n$/);
  });
});
