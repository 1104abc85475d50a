import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { defaultTokenCache, type LoadRowsOptions, loadRows } from "../../lib/data/index.js";
import { failureOf } from "../errors/expect-failure.js";
import { suiteFolder } from "../support/temporary-folder.js";
import { tinyTokenizer } from "../text/tiny-tokenizer.js";

describe("the token cache", function () {
  this.timeout(10_000);
  const folder = suiteFolder();
  const tokenizer = tinyTokenizer();
  const pairs = Array.from({ length: 300 }, (_, i) => ({
    prompt: `p ${i}`,
    chosen: `a ${i}`,
    rejected: "b",
  }));
  const lines = (rows: readonly object[]) => rows.map((row) => `${JSON.stringify(row)}\n`).join("");
  let number = 0;
  /** A folder of its own for every test, with one file of rows. */
  let cache = "";
  let data = "";
  let warnings: string[] = [];
  beforeEach(() => {
    number += 1;
    cache = folder(`cache-${number}`);
    data = folder(`rows-${number}.jsonl`);
    writeFileSync(data, lines(pairs));
    warnings = [];
  });

  const load = (options: Partial<LoadRowsOptions> = {}) =>
    loadRows({
      data,
      tokenizer,
      task: "preference",
      tokenCache: cache,
      warn: (text) => warnings.push(text),
      ...options,
    });
  const onlyFile = () => {
    const [name = "", ...others] = readdirSync(cache);
    expect(others).to.deep.equal([]);
    return join(cache, name);
  };

  it("is below XDG_CACHE_HOME", () => {
    expect(defaultTokenCache({ XDG_CACHE_HOME: "/var/c" })).to.equal("/var/c/attune/tokens");
    expect(defaultTokenCache({})).to.match(/\.cache\/attune\/tokens$/);
  });

  for (const memoryBytes of [1 << 20, 1000]) {
    it(`gives the same rows and counts again (${memoryBytes} bytes in memory)`, async () => {
      writeFileSync(data, lines([...pairs, { prompt: "x", chosen: "y", rejected: "y" }]));
      const first = await load({ memoryBytes });
      const second = await load({ memoryBytes });
      expect([first.cached, second.cached]).to.deep.equal([false, true]);
      expect([...second.rows]).to.deep.equal([...first.rows]);
      expect(second).to.deep.include({ counts: first.counts, hash: first.hash, files: first.files });
      expect(first.counts.dropped).to.deep.equal({ identical: 1 });
      expect(readdirSync(cache)).to.have.length(1);
      expect(warnings).to.deep.equal([]);
    });
  }

  it("keeps what the rows are, what they judge again, and rankings without places, and merges them anew", async () => {
    const again = [{ prompt: "p 0", chosen: "b", rejected: "a 0" }, pairs[1] ?? {}];
    writeFileSync(data, lines([...pairs, ...again]));
    const [first, second] = [
      await load({ task: "reward" }),
      await load({ task: "reward", mergeGroups: true }),
    ];
    expect(second.cached).to.equal(true);
    expect([first.type, second.type]).to.deep.equal(["preference", "preference"]);
    expect(first.counts).to.include({ contradictions: 1, duplicates: 1, merged: 0 });
    expect(second.counts).to.include({ contradictions: 1, duplicates: 1, merged: 2 });
    expect([first.rows.length, second.rows.length]).to.deep.equal([302, 300]);
    writeFileSync(data, lines([{ prompt: "p", completions: ["a", "b", "c"], ranks: [1, null, null] }]));
    const ranked = [await load({ task: "ranking" }), await load({ task: "ranking" })];
    expect(ranked[1]?.cached).to.equal(true);
    expect(ranked.map(({ rows }) => rows.at(0)?.placed)).to.deep.equal([1, 1]);
  });

  it("knows the same rows under another name, and names that one", async () => {
    writeFileSync(data, `${lines(pairs)}{}\n`);
    await load({ skipBadRows: 1 });
    const other = folder("renamed.jsonl");
    renameSync(data, other);
    const { rows, counts, cached } = await load({ data: other, skipBadRows: 1 });
    expect(cached).to.equal(true);
    expect(rows.at(2)?.place).to.deep.equal({ file: other, line: 3 });
    expect(counts.badMessages[0]).to.match(new RegExp(`^${other}:301: `));
  });

  const changes: readonly (readonly [string, Partial<LoadRowsOptions>])[] = [
    ["another tokenizer", { tokenizer: tinyTokenizer({ startsWithBos: true }) }],
    ["another template", { tokenizer: { ...tokenizer, chat: { hash: "t" } } as typeof tokenizer }],
    ["another task", { task: "sft" }],
    ["another scale of ratings", { ratingScale: [1, 5] }],
    ["another length", { maxLength: 20 }],
    ["another rule for long rows", { overLength: "truncate" }],
    ["another format", { format: "preference" }],
    ["another vocabulary", { vocabularySize: 5000 }],
  ];
  for (const [what, options] of changes) {
    it(`is not used for ${what}`, async () => {
      await load();
      expect((await load(options)).cached).to.equal(false);
      expect((await load(options)).cached).to.equal(true);
    });
  }

  it("is not used for changed rows", async () => {
    await load();
    writeFileSync(data, lines(pairs.slice(1)));
    expect((await load()).rows.length).to.equal(299);
  });

  it("does not hide bad rows that are no longer tolerated", async () => {
    writeFileSync(data, `${lines(pairs)}{}\n`);
    await load({ skipBadRows: 1 });
    expect((await failureOf(() => load())).message).to.contain(`${data}:301: `);
    expect((await load({ skipBadRows: 5 })).cached).to.equal(true);
  });

  it("is not written for rows in memory, nor when it is off", async () => {
    await load({ data: pairs });
    await load({ tokenCache: "off" });
    expect(existsSync(cache)).to.equal(false);
  });

  it("is not written when no row is left", async () => {
    await failureOf(() => load({ maxLength: 2 }));
    expect(existsSync(cache)).to.equal(false);
  });

  const damages: readonly (readonly [string, (path: string) => void, RegExp])[] = [
    ["cut in its rows", (path) => truncateSync(path, 1000), /it is cut/],
    ["cut at its end", (path) => truncateSync(path, readFileSync(path).length - 1), /it is cut/],
    ["empty", (path) => truncateSync(path, 0), /it is cut/],
    ["no file of tokens", (path) => writeFileSync(path, "x".repeat(5000)), /no file of tokens/],
    ["changed in its rows", (path) => flip(path, 100), /its rows are damaged/],
    ["changed in its index", (path) => flip(path, readFileSync(path).length - 2000), /its index is damaged/],
  ];
  for (const [what, damage, reason] of damages) {
    it(`is made anew when it is ${what}, which is said once`, async () => {
      const first = await load();
      damage(onlyFile());
      const second = await load();
      expect([second.cached, second.hash]).to.deep.equal([false, first.hash]);
      expect(warnings).to.have.length(1);
      expect(warnings[0]).to.match(reason);
      expect((await load()).cached).to.equal(true);
      expect(warnings).to.have.length(1);
    });
  }

  function flip(path: string, position: number): void {
    const bytes = readFileSync(path);
    bytes[position] = (bytes[position] ?? 0) ^ 1;
    writeFileSync(path, bytes);
  }

  it("of another tokenizer is made anew, even under this one's name", async () => {
    await load({ tokenizer: tinyTokenizer({ startsWithBos: true }) });
    const other = onlyFile();
    await load();
    const own = readdirSync(cache).map((name) => join(cache, name));
    copyFileSync(other, own.find((path) => path !== other) ?? "");
    const { cached, rows } = await load();
    expect(cached).to.equal(false);
    expect(rows.at(0)?.prompt[0]).to.not.equal(1);
    expect(warnings[0]).to.contain("another tokenizer");
  });

  for (const memoryBytes of [1 << 20, 1000]) {
    it(`that cannot be written is a warning (${memoryBytes} bytes in memory)`, async () => {
      writeFileSync(cache, "a file where the folder should be");
      const { rows, cached } = await load({ memoryBytes });
      expect([rows.length, cached]).to.deep.equal([300, false]);
      expect([...rows]).to.have.length(300);
      expect(warnings.at(-1)).to.match(/token cache/);
    });
  }

  it("below a folder where none can be made is a warning", async function () {
    if (!existsSync("/proc/self")) this.skip();
    const { rows } = await load({ tokenCache: "/proc/attune-makes-nothing-here/tokens" });
    expect(rows.length).to.equal(300);
    expect(warnings.at(-1)).to.contain("The token cache cannot be written");
  });

  it("serves runs that fill it at the same time", async () => {
    const runs = await Promise.all(
      Array.from({ length: 8 }, (_, i) => load({ memoryBytes: i % 2 ? 1000 : 1e6 })),
    );
    expect(new Set(runs.map(({ hash }) => hash)).size).to.equal(1);
    for (const { rows } of runs) expect(rows.at(299)?.index).to.equal(299);
    expect((await load()).cached).to.equal(true);
    expect(onlyFile()).to.match(/\.tokens$/);
  });

  it("removes what dead runs left behind a day ago, and nothing younger", async () => {
    mkdirSync(cache);
    for (const name of ["old.tokens.1.tmp", "new.tokens.2.tmp"]) writeFileSync(join(cache, name), "x");
    utimesSync(join(cache, "old.tokens.1.tmp"), 0, 0);
    await load();
    expect(readdirSync(cache).filter((name) => name.endsWith(".tmp"))).to.deep.equal(["new.tokens.2.tmp"]);
  });
});
