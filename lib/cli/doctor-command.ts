// `attune doctor`: what this machine can do, and why not more.

import { Command } from "commander";
import { type BackendInfo, type IsaInfo, listBackends } from "../engine/index.js";
import { reasonOf } from "../errors/index.js";
import { commandSchemas } from "../options/index.js";
import { machineLine, versions } from "../train/index.js";
import { addFlags, givenOptions } from "./flags.js";
import { table } from "./format.js";
import { exitCodes } from "./report-error.js";
import type { Terminal } from "./terminal.js";

interface Report {
  readonly machine: string;
  readonly versions: Readonly<Record<string, string>>;
  /** Empty when the addon could not be loaded. */
  readonly backends: readonly BackendInfo[];
  /** Instruction sets of the CPU kernels, best first. */
  readonly isas: readonly IsaInfo[];
  /** Why the addon could not be loaded, with remedies. */
  readonly problem?: string;
}

export function doctorCommand(terminal: Terminal, ended: (code: number) => void): Command {
  const command = new Command("doctor")
    .summary("what this machine can do, and why not more")
    .description("Shows versions, the native addon and the instruction sets it can use here.");
  addFlags(command, commandSchemas.doctor);
  return command.action(() => {
    const { json } = givenOptions(command, commandSchemas.doctor).resolved;
    const report = examine();
    terminal.stdout.write(json ? `${JSON.stringify(report)}\n` : text(report));
    ended(report.problem === undefined ? exitCodes.done : exitCodes.failed);
  });
}

function examine(): Report {
  const about = { machine: machineLine(), versions: versions() };
  try {
    const backends = listBackends();
    return { ...about, backends, isas: backends.flatMap(({ isas }) => isas ?? []) };
  } catch (error) {
    return { ...about, backends: [], isas: [], problem: reasonOf(error) };
  }
}

function text({ machine, versions: numbers, backends, isas, problem }: Report): string {
  const numbered = Object.entries(numbers).map(([name, version]) => `${name} ${version}`);
  const lines = [numbered.join(", "), machine, ""];
  if (problem !== undefined) return [...lines, `native addon: not loaded\n${problem}`, ""].join("\n");
  lines.push(
    "native addon: loaded",
    ...backends.map(({ name, stage, reason }) => `${name}: ${stage} (${reason})`),
  );
  const rows = isas.map((isa) => [isa.name, stateOf(isa)]);
  return [...lines, "", table([["instructions", "state"], ...rows]), ""].join("\n");
}

function stateOf({ built, runnable, native }: IsaInfo): string {
  if (!built) return "not built";
  if (!runnable) return "this processor lacks it";
  return native ? "ready" : "emulated, for tests";
}
