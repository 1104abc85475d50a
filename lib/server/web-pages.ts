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

/** `/`, `/dashboard` and `/web/…`. */
export function addPages(app: Hono, folder = FOLDER): void {
  for (const path of filesBelow(folder)) {
    const type = types[extname(path)];
    if (type === undefined) continue;
    const name = relative(folder, path).replaceAll("\\", "/");
    const body = new Uint8Array(readFileSync(path));
    const address = Object.keys(pages).find((known) => pages[known] === name) ?? `/web/${name}`;
    app.get(address, (context) => context.body(body, 200, { "content-type": type }));
  }
}

function filesBelow(folder: string): readonly string[] {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}
