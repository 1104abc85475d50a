// The pages keep what they promise: generated parts are current, links lead somewhere, examples in them are commands.

import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { commandSchemas, optionTable } from "../../lib/options/index.js";

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");

function pages(): string[] {
  const below = readdirSync(join(root, "docs"), { withFileTypes: true, recursive: true })
    .filter((entry) => entry.name.endsWith(".md"))
    .map((entry) => join(entry.parentPath, entry.name));
  return [join(root, "README.md"), join(root, "CONTRIBUTING.md"), ...below];
}

describe("the docs", () => {
  it("have current tables, schemas and headings", () => {
    const args = ["--import", "tsx", "scripts/docs-tables.mjs"];
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: root, encoding: "utf8" });
    expect(stderr).to.equal("");
    expect(stdout).to.match(/^docs tables: [1-9]\d*, stale: 0/);
    expect(status).to.equal(0);
  });

  it("have no link that leads nowhere", () => {
    const broken: string[] = [];
    let links = 0;
    for (const page of pages()) {
      for (const [, target = ""] of readFileSync(page, "utf8").matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)) {
        if (/^[a-z]+:/.test(target)) continue;
        links += 1;
        if (!existsSync(join(dirname(page), target))) broken.push(`${relative(root, page)}: ${target}`);
      }
    }
    expect(broken).to.deep.equal([]);
    expect(links).to.be.above(30);
  });

  it("show commands with flags that exist", () => {
    const wrong: string[] = [];
    let lines = 0;
    for (const page of pages()) {
      for (const [line, name = "", rest = ""] of readFileSync(page, "utf8").matchAll(
        /^(?:npx )?attune ((?:feedback )?[a-z-]+) (--.*)$/gm,
      )) {
        lines += 1;
        const schema = commandSchemas[name as keyof typeof commandSchemas];
        const known = schema === undefined ? [] : optionTable(schema).map((row) => `--${row.name}`);
        const unknown = (rest.match(/--[a-z-]+/g) ?? []).filter((flag) => !known.includes(flag));
        if (schema === undefined || unknown.length > 0) wrong.push(`${relative(root, page)}: ${line}`);
      }
    }
    expect(wrong).to.deep.equal([]);
    expect(lines).to.be.above(10);
  });

  it("have a page for every command", () => {
    const text = pages()
      .filter((page) => page.includes(`${join("docs", "cli")}/`))
      .map((page) => readFileSync(page, "utf8"))
      .join("\n");
    for (const name of Object.keys(commandSchemas))
      expect(text).to.include(`<!-- options ${name}: generated -->`);
  });

  it("are packed at the version of every package", () => {
    const version = (path: string) => JSON.parse(readFileSync(join(root, path), "utf8")).version as string;
    for (const name of readdirSync(join(root, "packages"))) {
      expect(version(`packages/${name}/package.json`), name).to.equal(version("package.json"));
    }
  });
});
