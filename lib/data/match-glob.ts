// Patterns of paths: `*` and `?` within a name, `**` across folders (as a whole name, or at the end), `[…]` and `{a,b}`. Must not touch the disk.

import { join, normalize, sep } from "node:path";

/** Whether a path holds any sign of a pattern. */
export function isGlob(path: string): boolean {
  return /[*?[{]/.test(path);
}

/** The deepest folder above everything a pattern can match. */
export function globRoot(pattern: string): string {
  const parts = slashes(pattern).split("/");
  const first = parts.findIndex((part) => isGlob(part));
  const fixed = parts.slice(0, first < 0 ? -1 : first);
  if (fixed.length === 0) return ".";
  return fixed.length === 1 && fixed[0] === "" ? "/" : join(...fixed.map((part) => part || "/"));
}

/**
 * Tells which paths (as `join` below `globRoot` makes them) a pattern matches. A set whose range runs backwards
 * (`[z-a]`) matches nothing.
 */
export function globMatcher(pattern: string): (path: string) => boolean {
  const expression = expressionFor(`^${expressionOf(slashes(normalize(pattern)))}$`);
  return (path) => expression?.test(slashes(path)) === true;
}

function expressionFor(text: string): RegExp | undefined {
  try {
    return new RegExp(text, "u");
  } catch {
    return undefined;
  }
}

function slashes(path: string): string {
  return sep === "/" ? path : path.replaceAll(sep, "/");
}

function expressionOf(pattern: string): string {
  let text = "";
  let depth = 0;
  for (let i = 0; i < pattern.length; i++) {
    const rest = pattern.slice(i);
    const stars = /^\*+/.exec(rest);
    const folders = /^\*\*\//.exec(rest);
    const set = /^\[([!^]?)(\]?[^\]]*)\]/.exec(rest);
    const letter = pattern[i] ?? "";
    if (folders !== null && (i === 0 || pattern[i - 1] === "/")) {
      text += "(?:[^/]+/)*";
      i += 2;
    } else if (stars !== null) {
      text += stars[0] === "**" && i + 2 === pattern.length ? ".*" : "[^/]*";
      i += stars[0].length - 1;
    } else if (letter === "?") {
      text += "[^/]";
    } else if (set !== null) {
      text += `[${set[1] === "" ? "" : "^/"}${(set[2] ?? "").replaceAll(/[\\[\]^]/g, "\\$&")}]`;
      i += set[0].length - 1;
    } else if (letter === "{" && rest.includes("}")) {
      depth += 1;
      text += "(?:";
    } else if (letter === "}" && depth > 0) {
      depth -= 1;
      text += ")";
    } else if (letter === "," && depth > 0) {
      text += "|";
    } else {
      text += letter.replace(/[\\^$.*+?()[\]{}|/]/, "\\$&");
    }
  }
  return text + ")".repeat(depth);
}
