// The service's own pages: the files of lib/web, read once, and served under names that are known. Must not render anything.

import { readdirSync, readFileSync } from "node:fs";
import { extname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import type { Hono } from "hono";

const types: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
};

/** Beside this folder, in the sources and in the package. */
const FOLDER = fileURLToPath(new URL("../web/", import.meta.url));

/** Addresses that people type, and the file behind each. */
const pages: Readonly<Record<string, string>> = { "/": "judge.html", "/dashboard": "dashboard.html" };

/** `/`, `/dashboard` and `/web/…`; pages name their files below `basePath`, where browsers find them. */
export function addPages(app: Hono, basePath = "", folder = FOLDER): void {
  for (const path of filesBelow(folder)) {
    const type = types[extname(path)];
    if (type === undefined) continue;
    const name = relative(folder, path).replaceAll("\\", "/");
    const body = bodyOf(path, basePath);
    const address = Object.keys(pages).find((known) => pages[known] === name) ?? `/web/${name}`;
    app.get(address, (context) => context.body(body, 200, { "content-type": type }));
  }
}

/** What a page names by its path, it finds where the service is mounted; scripts know by their own address. */
function bodyOf(path: string, basePath: string): Uint8Array<ArrayBuffer> {
  const bytes = readFileSync(path);
  if (basePath === "" || extname(path) !== ".html") return new Uint8Array(bytes);
  return new TextEncoder().encode(bytes.toString("utf8").replaceAll(/(href|src)="\//g, `$1="${basePath}/`));
}

function filesBelow(folder: string): readonly string[] {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}
