// `npm run bench [SUITE…] [-- --json FILE]`: benny suites, each in a process of its own, with the machine line;
// `npm run bench decode -- --model PATH …`: sampling speed of a real model; `npm run bench ppo -- …`: iterations of PPO.
// Kernel rates come from the C++ runner (build-cmake/…/attune-tool bench NAME); this measures what TypeScript sees.

import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { machineLine } from "../lib/train/machine.js";
import { benchDecode } from "./decode.js";
import { benchGpt2Step } from "./gpt2-step.js";
import { benchPeers } from "./peers.js";
import { benchPpo } from "./ppo-iteration.js";
import { suites } from "./suites.js";
import { benchTrainStep } from "./train-step.js";

interface SuiteReport {
  readonly suite: string;
  readonly machine: string;
  readonly results: readonly { readonly name: string; readonly ops: number; readonly margin: number }[];
}

const marker = "benchmark-result ";

/** Runs one suite in this process and prints its report behind a marker. */
async function runSuite(name: string): Promise<void> {
  const suite = suites[name];
  if (suite === undefined)
    throw new Error(`no suite "${name}"; there are: ${Object.keys(suites).join(", ")}`);
  const summary = await suite();
  const results = summary.results.map(({ name: title, ops, margin }) => ({ name: title, ops, margin }));
  const report: SuiteReport = { suite: name, machine: machineLine(), results };
  console.log(marker + JSON.stringify(report));
}

/** Runs a suite in a fresh process, so that no suite warms another up. */
function runApart(name: string): SuiteReport {
  const self = fileURLToPath(import.meta.url);
  const child = spawnSync(process.execPath, ["--import", "tsx", self, "--suite", name], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  });
  const line = child.stdout.split("\n").find((text) => text.startsWith(marker));
  if (child.status !== 0 || line === undefined) throw new Error(`suite ${name} failed:\n${child.stdout}`);
  return JSON.parse(line.slice(marker.length)) as SuiteReport;
}

function show({ suite, results }: SuiteReport): void {
  console.log(`\n${suite}`);
  for (const { name, ops, margin } of results) {
    console.log(`  ${name.padEnd(48)} ${(1000 / ops).toFixed(3).padStart(10)} ms  ±${margin} %`);
  }
}

const args = process.argv.slice(2);
if (args[0] === "--suite") {
  await runSuite(args[1] ?? "");
} else if (args[0] === "decode") {
  await benchDecode(args.slice(1));
} else if (args[0] === "ppo") {
  await benchPpo(args.slice(1));
} else if (args[0] === "gpt2-step") {
  await benchGpt2Step(args.slice(1));
} else if (args[0] === "train-step") {
  await benchTrainStep(args.slice(1));
} else if (args[0] === "peers") {
  await benchPeers(args.slice(1));
} else {
  const json = args.indexOf("--json");
  const file = json < 0 ? undefined : args[json + 1];
  const named = json < 0 ? args : args.toSpliced(json, 2);
  const version = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as {
    version: string;
  };
  console.log(`attune ${version.version}, ${machineLine()}`);
  const reports = (named.length > 0 ? named : Object.keys(suites)).map((name) => {
    const report = runApart(name);
    show(report);
    return report;
  });
  if (file !== undefined) writeFileSync(file, `${JSON.stringify(reports, undefined, 2)}\n`);
}
