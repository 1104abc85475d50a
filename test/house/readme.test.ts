// The README keeps its promises: its two lines, a run in under 20 lines, and that run works.

import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { expect } from "chai";
import { commandSchemas, optionTable } from "../../lib/options/index.js";
import { writeTinyModel } from "../support/tiny-model.js";
import { pairs } from "../train/training-rows.js";

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const readme = readFileSync(join(root, "README.md"), "utf8");
const example = /```ts\n([\s\S]*?)```/.exec(readme)?.[1] ?? "";

describe("the README", () => {
  it("opens with the two command lines that do all the rest", () => {
    expect(readme).to.match(
      /^# attune\n\n```\nnpm install && npm run quickstart\nnpm install && npm test\n```\n/,
    );
  });

  it("names only commands and flags that exist", async () => {
    const lines = [...readme.matchAll(/^npx attune ((?:feedback )?\S+) (.*)$/gm)];
    expect(lines.length).to.be.at.least(4);
    for (const [line, command = "", flags = ""] of lines) {
      const schema = commandSchemas[command as keyof typeof commandSchemas];
      expect(schema, line).to.not.equal(undefined);
      const known = optionTable(schema).map(({ name }) => `--${name}`);
      for (const flag of flags.match(/--[a-z-]+/g) ?? []) expect(known, line).to.include(flag);
    }
  });

  it("names what must be there", () => {
    for (const need of ["Node 20.19", "C++20 compiler", "CMake", "Python 3"]) expect(readme).to.include(need);
  });

  it("shows a full run in under 20 lines", () => {
    expect(example).to.include("dpo({");
    expect(example.trimEnd().split("\n").length).to.be.below(20);
  });

  it("shows a run that works", async () => {
    const folder = mkdtempSync(join(tmpdir(), "attune-readme-"));
    try {
      writeTinyModel({ folder: join(folder, "model") });
      writeFileSync(join(folder, "pairs.jsonl"), pairs.map((row) => JSON.stringify(row)).join("\n"));
      const replacements = [
        ['"attune"', JSON.stringify(pathToFileURL(join(root, "lib", "index.ts")).href)],
        ['"path/to/SmolLM2-135M-Instruct"', JSON.stringify(join(folder, "model"))],
        ['"pairs.jsonl"', JSON.stringify(join(folder, "pairs.jsonl"))],
        ['"runs/first"', JSON.stringify(join(folder, "run"))],
        ['"runs/merged"', JSON.stringify(join(folder, "merged"))],
      ] as const;
      let code = example;
      for (const [text, replacement] of replacements) {
        expect(code, text).to.include(text);
        code = code.replace(text, replacement);
      }
      // Only what the example prints is silenced; the rest runs as it stands.
      const file = join(folder, "example.mts");
      writeFileSync(file, code.replaceAll(/(console\.log|process\.stdout\.write)\(/g, "void ("));
      await import(pathToFileURL(file).href);
      const record = JSON.parse(readFileSync(join(folder, "run", "run.json"), "utf8")) as { status: string };
      expect(record.status).to.equal("done");
      expect(existsSync(join(folder, "merged", "model.safetensors"))).to.equal(true);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
