// Runs programs that end with `N passed, N failed`, and adds that up. Must not hide a run that failed without saying so.

import { spawnSync } from "node:child_process";
import { root } from "../native/build.mjs";

/** { name, line, passed, failed, seconds, ok } of a program; `command` is this Node unless it is said otherwise. */
export function countedStep({ name, command = process.execPath, args, environment = {} }) {
  const started = Date.now();
  const result = spawnSync(command, args, {
    cwd: root,
    encoding: "utf8",
    maxBuffer: 1 << 28,
    env: { ...process.env, ...environment },
    stdio: ["ignore", "pipe", "inherit"],
  });
  process.stdout.write(result.stdout ?? "");
  const last = (result.stdout ?? "").trimEnd().split("\n").at(-1) ?? "";
  const [line = "0 passed, 1 failed", passed = "0", failed = "1"] =
    /^(\d+) passed, (\d+) failed$/.exec(last) ?? [];
  return {
    name,
    line,
    passed: Number(passed),
    failed: Number(failed),
    seconds: Math.round((Date.now() - started) / 1000),
    ok: result.status === 0 && line === last,
  };
}

/** A run that ended badly without a failure of its own is one more failure. */
export function totalOf(steps) {
  const sum = (count) => steps.reduce((total, step) => total + count(step), 0);
  const passed = sum((step) => step.passed);
  const failed = sum((step) => Math.max(step.failed, step.ok ? 0 : 1));
  return { passed, failed, ok: failed === 0 && passed > 0 };
}
