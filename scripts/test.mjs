// Runs the tests and prints `N passed, N failed` as its last line, from what really ran.
// Flags: --oracle (test/oracle only), --long (test/long too), files or folders to run only those.
// Must not count a test that did not run, and fails when nothing ran.

import { readdirSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import Mocha from "mocha";
import { register } from "tsx/esm/api";
import { CountReporter, counts } from "./count-reporter.mjs";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");

/** Test files below a path, sorted, so that the order does not depend on the file system. */
function testFiles(path) {
  if (statSync(path).isFile()) return [path];
  const entries = readdirSync(path, { withFileTypes: true }).toSorted((a, b) => (a.name < b.name ? -1 : 1));
  return entries.flatMap((entry) => {
    const child = join(path, entry.name);
    if (entry.isDirectory()) return testFiles(child);
    return entry.name.endsWith(".test.ts") ? [child] : [];
  });
}

function chosenFiles(args) {
  const named = args.filter((arg) => !arg.startsWith("--"));
  if (named.length > 0) return named.flatMap((name) => testFiles(name));
  if (args.includes("--oracle")) return testFiles(join(root, "test/oracle"));
  const apart = ["oracle", ...(args.includes("--long") ? [] : ["long"])].map((name) =>
    join(root, "test", name, "/"),
  );
  return testFiles(join(root, "test")).filter((file) => !apart.some((folder) => file.startsWith(folder)));
}

async function runMocha(files, long) {
  const mocha = new Mocha({
    reporter: CountReporter,
    timeout: long ? 1_800_000 : 120_000,
    color: process.stdout.isTTY,
  });
  for (const file of files) mocha.addFile(file);
  await mocha.loadFilesAsync();
  await new Promise((resolve) => mocha.run(resolve));
}

function lastLine(passed, failed, pending) {
  if (pending > 0) console.log(`${pending} pending`);
  console.log(`${passed} passed, ${failed} failed`);
  process.exitCode = failed > 0 ? 1 : 0;
  // A test that leaves a handle open is a defect of the test or of the library: say so instead of hanging.
  setTimeout(() => {
    console.log(`a test keeps this process alive: ${process.getActiveResourcesInfo().join(", ")}`);
    console.log(`${passed} passed, ${failed + 1} failed`);
    process.exit(1);
  }, 30_000).unref();
}

const args = process.argv.slice(2);
register();
const files = chosenFiles(args);
try {
  await runMocha(files, args.includes("--long"));
} catch (error) {
  console.error(error);
  counts.failed += 1;
}
if (counts.passed + counts.failed === 0) {
  console.error(`No test ran out of ${files.length} files.`);
  counts.failed += 1;
}
lastLine(counts.passed, counts.failed, counts.pending);
