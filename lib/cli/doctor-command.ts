// `attune doctor`: what this machine can do, and why not more.

import { Command } from "commander";
import type { BackendInfo, IsaInfo } from "../engine/index.js";
import { commandSchemas } from "../options/index.js";
import { type DoctorReport, examineMachine } from "./doctor-report.js";
import { addFlags, givenOptions } from "./flags.js";
import { bytes, table } from "./format.js";
import { exitCodes } from "./report-error.js";
import type { Terminal } from "./terminal.js";

const example = `
The exit code is 0 when the addon loads and computes, 1 when it does not. It is tried in a process of its own,
and so is the GPU where there is one.

Example:
  attune doctor --json`;

export function doctorCommand(terminal: Terminal, ended: (code: number) => void): Command {
  const command = new Command("doctor")
    .summary("what this machine can do, and why not more")
    .description(
      "Loads the native addon, computes with it and on every GPU, and shows versions, instruction sets, GPUs with their driver and memory and why one is not used, threads, memory, disk and optional packages.",
    )
    .addHelpText("after", example);
  addFlags(command, commandSchemas.doctor);
  return command.action(async () => {
    const { json } = givenOptions(command, commandSchemas.doctor).resolved;
    const report = await examineMachine();
    terminal.stdout.write(json ? `${JSON.stringify(report)}\n` : text(report));
    ended(report.addon.stage === "ok" ? exitCodes.done : exitCodes.failed);
  });
}

function text(report: DoctorReport): string {
  const { versions, processor, backends, isas } = report;
  const numbered = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  const lines = [numbered.join(", "), processor, "", addonText(report)];
  lines.push(...backends.flatMap(backendLines));
  if (isas.length > 0) {
    const rows = isas.map((isa) => [isa.name, stateOf(isa)]);
    lines.push("", table([["instructions", "state"], ...rows]));
  }
  return `${[...lines, "", ...surroundings(report)].join("\n")}\n`;
}

function backendLines({
  name,
  stage,
  reason,
  devices = [],
  refused = [],
  driverVersion,
}: BackendInfo): string[] {
  const version = driverVersion === undefined ? "" : `${driverVersion} `;
  const gpus = devices.map(({ index, name: gpu, capability, driver, memory, free }) => {
    const left = free === undefined ? "" : `, ${bytes(free)} free`;
    const kind = `${gpu}, compute capability ${capability}, driver ${version}for CUDA ${driver}`;
    return `  cuda:${index}: ${kind}, ${bytes(memory)}${left}`;
  });
  const others = refused.map((one) => `  cuda:${one.index} cannot be used: ${one.reason}`);
  return [`${name}: ${stage} (${reason})`, ...gpus, ...others];
}

function addonText({ addon }: DoctorReport): string {
  if (addon.stage === "ok") return `native addon: ok (computed with ${addon.isa})`;
  return `native addon: ${addon.stage}\n${addon.reason ?? ""}`;
}

function surroundings({ threads, memory, disk, tokenCache, packages }: DoctorReport): string[] {
  const set = threads.environment === undefined ? "" : `, ATTUNE_THREADS=${threads.environment}`;
  const limit = memory.limit === undefined ? "" : `, limit ${bytes(memory.limit)}`;
  return [
    `threads: ${threads.available}${set}`,
    `memory: ${bytes(memory.total)}, ${bytes(memory.free)} free${limit}`,
    ...disk.map(({ folder, free }) => `disk: ${free === undefined ? "?" : bytes(free)} free in ${folder}`),
    `cache of tokenised rows: ${tokenCache}`,
    ...packages.map(
      ({ name, for: purpose, installed }) =>
        `${name} (${purpose}): ${installed ? "installed" : `not installed; npm i ${name}`}`,
    ),
  ];
}

function stateOf({ built, runnable, native }: IsaInfo): string {
  if (!built) return "not built";
  if (!runnable) return "this processor lacks it";
  return native ? "ready" : "emulated, for tests";
}
