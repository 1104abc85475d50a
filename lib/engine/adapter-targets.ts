// Which linear layers an adapter changes: names as PEFT's `target_modules` gives them -> full names of the model.
// Must not know files or native code.

import { type ErrorCode, fail } from "../errors/index.js";

/** "all-linear", names or ends of names, or one regular expression over full names. */
export type TargetModules = "all-linear" | readonly string[] | RegExp;

/** The last word of a full name: "q_proj". */
export function layerName(module: string): string {
  return module.slice(module.lastIndexOf(".") + 1);
}

export function layerNames(modules: readonly string[]): string[] {
  return [...new Set(modules.map(layerName))];
}

/**
 * As PEFT matches: a name is meant when it is the full name or its end after a dot. Every name must mean something.
 * @throws the given code, with the names there are
 */
export function resolveTargets(options: {
  readonly targets: TargetModules;
  readonly linearLayers: readonly string[];
  readonly what: string;
  readonly code: ErrorCode;
}): string[] {
  const { targets, linearLayers, what, code } = options;
  const unknown = (given: string) => {
    const text = `Expected ${what} to name linear layers of the model but received ${given}. It has: ${layerNames(linearLayers).join(", ")}.`;
    return fail(code, text);
  };
  if (targets === "all-linear") return [...linearLayers];
  if (targets instanceof RegExp) {
    const found = linearLayers.filter((module) => targets.test(module));
    if (found.length === 0) throw unknown(String(targets));
    return found;
  }
  if (targets.length === 0) throw unknown("an empty list");
  const means = (module: string, name: unknown) => module === name || module.endsWith(`.${name}`);
  for (const name of targets) {
    if (typeof name !== "string" || !linearLayers.some((module) => means(module, name)))
      throw unknown(JSON.stringify(name));
  }
  return linearLayers.filter((module) => targets.some((name) => means(module, name)));
}
