// The house rules hold, and the script that enforces them finds what is planted.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "chai";

interface HouseReport {
  readonly violations: readonly string[];
  readonly looked: number;
}
const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const script = join(root, "scripts", "imports.mjs");
const { libraryRooms, nativeRooms } = (await import(join(root, "scripts", "import-rules.mjs"))) as Record<
  "libraryRooms" | "nativeRooms",
  Readonly<Record<string, readonly string[]>>
>;
/** A room, then rooms that it may never use. */
const forbidden: readonly (readonly [string, ...string[]])[] = [
  ["text", "engine", "train", "feedback", "server", "cli"],
  ["preference", "engine", "train", "feedback", "server", "cli"],
  ["report", "engine", "train", "feedback", "server", "cli"],
  ["data", "engine", "train", "evaluate", "rollout", "feedback", "server", "cli"],
  ["engine", "train", "feedback", "server", "cli", "world"],
  ["rollout", "train", "feedback", "server", "world"],
  ["judge", "train", "feedback", "server", "world"],
  ["evaluate", "train", "feedback", "server", "world"],
  ["train", "feedback", "server", "report", "world"],
  ["feedback", "engine", "train", "server"],
  ["server", "train", "engine"],
  ["index", "world", "cli"],
  ["core", "formats", "cpu", "cuda", "model", "loss", "optim", "session", "binding"],
  ["formats", "cpu", "model", "loss", "session", "binding"],
  ["cpu", "cuda", "model", "loss", "optim", "formats"],
  ["cuda", "cpu", "model", "loss", "optim", "formats"],
  ["model", "cpu", "cuda", "loss", "optim", "session"],
  ["loss", "cpu", "cuda", "model", "optim"],
  ["optim", "cpu", "cuda", "model", "loss"],
  ["generate", "cpu", "cuda", "loss", "optim", "session"],
  ["bench", "cpu", "cuda", "session", "binding", "tool"],
];
const { checkHouse } = (await import(script)) as { checkHouse(root: string): HouseReport };

describe("the house", () => {
  it("keeps its import rules and lengths", () => {
    const { violations, looked } = checkHouse(root);
    expect(violations).to.deep.equal([]);
    expect(looked).to.be.above(100);
  });
});

describe("the script that enforces the import rules", () => {
  let folder = "";
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "attune-house-"));
    plant("lib/errors/index.ts", "export const one = 1;\n");
    plant("native/core/error.h", "#pragma once\n");
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  function plant(path: string, text: string): void {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  const found = () => checkHouse(folder).violations.join("\n");

  it("finds nothing in a sound tree", () => {
    expect(found()).to.equal("");
  });

  it("fails when it looked at nothing", () => {
    rmSync(join(folder, "native"), { recursive: true });
    expect(found()).to.include("looked at no file below");
  });

  const planted: readonly [string, string, string, string][] = [
    [
      "a room that looks up",
      "lib/data/a.ts",
      'import { x } from "../train/index.js";',
      "data must not import train",
    ],
    [
      "an import over several lines",
      "lib/text/a.ts",
      'import {\n  x,\n  y,\n} from "../engine/index.js";',
      "text must not import engine",
    ],
    [
      "a dynamic import",
      "lib/text/a.ts",
      'const x = await import("../engine/index.js");',
      "text must not import engine",
    ],
    [
      "an export from another room",
      "lib/errors/a.ts",
      'export * from "../data/index.js";',
      "errors must not import data",
    ],
    [
      "a value where only types are allowed",
      "lib/text/a.ts",
      'import { x } from "../data/index.js";',
      "text must not import data",
    ],
    [
      "a trainer that uses another's loop",
      "lib/train/dpo.ts",
      'import { sft } from "./sft.js";',
      "another's loop",
    ],
    [
      "the toy world used outside the command line",
      "lib/train/a.ts",
      'import { x } from "../world/index.js";',
      "train must not import world",
    ],
    ["a room that is none", "lib/utils/a.ts", "export const x = 1;", "no room of the house"],
    [
      "an op that includes the model",
      "native/cpu/a.h",
      '#include "model/trunk.h"',
      "cpu must not include model/trunk.h",
    ],
    [
      "a loss that is no formula in an op",
      "native/cpu/a.h",
      '#include "loss/loss.h"',
      "cpu must not include loss/loss.h",
    ],
    [
      "an include by a relative path",
      "native/cpu/a.h",
      '#include "../model/trunk.h"',
      "cpu must not include ../model/trunk.h",
    ],
    [
      "the package imported by its own name",
      "lib/feedback/a.ts",
      'import { dpo } from "attune";',
      "feedback must not import the package itself",
    ],
    ["Node outside binding", "native/session/a.cpp", "#include <napi.h>", "only binding may include napi.h"],
    [
      "a file that is too long",
      "lib/data/a.ts",
      `${"\n".repeat(600)}export const x = 1;`,
      "601 lines, at most 500",
    ],
    [
      "a long TypeScript function",
      "lib/data/a.ts",
      `export function f() {\n${"  g();\n".repeat(70)}}\n`,
      "f has 72 lines, at most 60",
    ],
    [
      "a long C++ function",
      "native/core/a.cpp",
      `namespace attune {\n\nvoid f(int a,\n       int b) {\n${"    g();\n".repeat(70)}}\n\n}  // namespace attune\n`,
      "has 73 lines, at most 60",
    ],
    [
      "a long C++ method",
      "native/core/a.h",
      `struct S {\n    int x() {\n${"        g();\n".repeat(70)}    }\n};\n`,
      "has 72 lines, at most 60",
    ],
  ];
  for (const [what, path, text, violation] of planted) {
    it(`finds ${what}`, () => {
      plant(path, text);
      expect(found()).to.include(violation);
    });
  }

  it("guards every room of lib/ against every room that it may not use", () => {
    const rooms = Object.keys(libraryRooms);
    for (const [room, allowed] of Object.entries(libraryRooms)) {
      const wrong = rooms.filter((other) => ![room, "errors", "options", ...allowed].includes(other));
      expect(wrong, room).to.not.be.empty;
      for (const other of wrong) {
        const path = room === "index" ? "lib/index.ts" : `lib/${room}/a.ts`;
        const up = room === "index" ? "." : "..";
        plant(path, `import { x } from "${up}/${other === "index" ? "index.js" : `${other}/index.js`}";\n`);
        expect(found()).to.include(`${room} must not import ${other}`);
      }
      rmSync(join(folder, room === "index" ? "lib/index.ts" : `lib/${room}/a.ts`));
    }
  });

  it("guards every room of native/ against every room that it may not use", () => {
    const rooms = Object.keys(nativeRooms);
    for (const [room, allowed] of Object.entries(nativeRooms)) {
      for (const other of rooms.filter((one) => one !== room && !allowed.includes(one))) {
        plant(`native/${room}/a.h`, `#include "${other}/b.h"\n`);
        expect(found()).to.include(`${room} must not include ${other}/b.h`);
      }
      rmSync(join(folder, `native/${room}/a.h`), { force: true });
    }
  });

  it("has the table of the house for the rooms that must stay apart", () => {
    const all = { ...libraryRooms, ...nativeRooms };
    for (const [room, ...never] of forbidden)
      expect(all[room], room).to.satisfy((allowed: readonly string[] | undefined) =>
        never.every((other) => allowed !== undefined && !allowed.includes(other)),
      );
  });

  const sound: readonly [string, string, string][] = [
    [
      "types of a room whose types are allowed",
      "lib/text/a.ts",
      'import type { X } from "../data/index.js";',
    ],
    ["errors and options from everywhere", "lib/text/a.ts", 'import { f } from "../errors/index.js";'],
    ["a formula in an op", "native/cpu/a.h", '#include "loss/pairwise_formula.h"'],
    [
      "a long structure of short functions",
      "native/core/a.h",
      `struct S {\n${"    int x();\n".repeat(100)}};\n`,
    ],
  ];
  for (const [what, path, text] of sound) {
    it(`lets ${what} pass`, () => {
      plant(path, text);
      expect(found()).to.equal("");
    });
  }
});
