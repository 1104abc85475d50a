// Reads a schema of options as a table: what flags, YAML keys, docs rows and error texts are made from.
// Must not import any room.

import { z } from "zod";
import { type OptionGroup, optionGroups } from "./shared-options.js";

export interface OptionRow {
  /** Name in code: `learningRate`. */
  readonly key: string;
  /** Name on the command line and in YAML, without dashes in front: `learning-rate`. */
  readonly name: string;
  /** `list`: texts or numbers; the flag may be repeated, a YAML key holds one or several. */
  readonly kind: "number" | "boolean" | "choice" | "text" | "list";
  readonly group: OptionGroup;
  readonly description: string;
  readonly value: string;
  /** `list` only: what it holds. */
  readonly items: "number" | "choice" | "text" | undefined;
  /** Undefined where there is none; of a list as one text. */
  readonly default: string | number | boolean | undefined;
  /** `list` only: what separates texts in one value, besides repeating the flag. */
  readonly separator: string | undefined;
  readonly required: boolean;
  /** What a value must be, for errors: `a whole number >= 1`. */
  readonly expected: string;
}

type OptionSchema = z.ZodType;

/** Options, by their names in code, that would be ignored in a configuration file. */
export const notInFiles: ReadonlySet<string> = new Set(["config", "printConfig", "printSchema"]);

/** `learningRate` -> `learning-rate` */
export function dashedName(key: string): string {
  return key.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** One row per option, in the order of declaration. */
export function optionTable(schema: z.ZodObject): readonly OptionRow[] {
  return Object.entries(schema.shape).map(([key, field]) => optionRow(key, field as OptionSchema));
}

function optionRow(key: string, field: OptionSchema): OptionRow {
  const { inner, meta, standard, required } = unwrap(field);
  const group = optionGroups.find((name) => name === meta?.group);
  if (meta?.description === undefined || group === undefined) {
    throw new TypeError(`option ${key} has no description or no group`);
  }
  const kind = kindOf(key, inner);
  return {
    key,
    name: dashedName(key),
    kind,
    items: inner instanceof z.ZodArray ? itemsOf(key, inner.element as OptionSchema) : undefined,
    group,
    description: meta.description,
    value: kind === "choice" ? choicesOf(inner).join("|") : typeof meta.value === "string" ? meta.value : "",
    default: standard,
    separator: typeof meta.separator === "string" ? meta.separator : undefined,
    required,
    expected: expectation(inner),
  };
}

interface Unwrapped {
  readonly inner: OptionSchema;
  readonly meta: z.GlobalMeta | undefined;
  readonly standard: OptionRow["default"];
  readonly required: boolean;
}

/** Peels defaults and optional wrappers off; `partial()` adds wrappers without a description of their own. */
function unwrap(field: OptionSchema): Unwrapped {
  let inner = field;
  let meta = field.meta();
  let standard: OptionRow["default"];
  while (inner instanceof z.ZodDefault || inner instanceof z.ZodOptional) {
    if (inner instanceof z.ZodDefault) standard = defaultOf(inner.def.defaultValue);
    inner = inner.def.innerType as OptionSchema;
    meta ??= inner.meta();
  }
  return { inner, meta, standard, required: inner === field };
}

/** A list as one text, as a flag takes it. */
function defaultOf(value: unknown): OptionRow["default"] {
  return Array.isArray(value) ? value.join(",") : (value as OptionRow["default"]);
}

function itemsOf(key: string, element: OptionSchema): "number" | "choice" | "text" {
  if (element instanceof z.ZodNumber) return "number";
  if (element instanceof z.ZodEnum) return "choice";
  if (element instanceof z.ZodString) return "text";
  throw new TypeError(`option ${key} is a list of what no flag can carry`);
}

function kindOf(key: string, inner: OptionSchema): OptionRow["kind"] {
  if (inner instanceof z.ZodNumber) return "number";
  if (inner instanceof z.ZodBoolean) return "boolean";
  if (inner instanceof z.ZodEnum) return "choice";
  if (inner instanceof z.ZodString) return "text";
  if (inner instanceof z.ZodArray) return "list";
  throw new TypeError(`option ${key} has a type that no flag can carry`);
}

function choicesOf(inner: OptionSchema): readonly string[] {
  return inner instanceof z.ZodEnum ? inner.options.map(String) : [];
}

/** What a value must be, in words: type and bounds as the schema has them. */
function expectation(inner: OptionSchema): string {
  if (inner instanceof z.ZodEnum) {
    const choices = choicesOf(inner);
    return choices.length === 1 ? `${choices[0]}` : `one of ${choices.join(", ")}`;
  }
  if (inner instanceof z.ZodBoolean) return "true or false";
  if (inner instanceof z.ZodNumber) {
    const bounds = inner.def.checks?.map((check) => boundText(check._zod.def)).filter((text) => text !== "");
    const type = inner.isInt ? "a whole number" : "a number";
    return bounds === undefined || bounds.length === 0 ? type : `${type} ${bounds.join(" and ")}`;
  }
  if (inner instanceof z.ZodArray) {
    const element = inner.element as OptionSchema;
    if (element instanceof z.ZodEnum) return `one or several of ${choicesOf(element).join(", ")}`;
    if (element instanceof z.ZodNumber) {
      const count = exactLength(inner);
      return count === undefined
        ? `one number or several, each ${expectation(element)}`
        : `${count} numbers with a comma between`;
    }
    return "one text or several, none of them empty";
  }
  return "text that is not empty";
}

/** How many items a list must have; undefined where that is free. */
function exactLength(inner: z.ZodArray): number | undefined {
  for (const check of inner.def.checks ?? []) {
    const { length } = check._zod.def as { readonly length?: unknown };
    if (typeof length === "number") return length;
  }
  return undefined;
}

function boundText(check: {
  readonly check: string;
  readonly value?: unknown;
  readonly inclusive?: unknown;
}): string {
  if (check.check === "greater_than")
    return `${check.inclusive === true ? ">=" : ">"} ${String(check.value)}`;
  if (check.check === "less_than") return `${check.inclusive === true ? "<=" : "<"} ${String(check.value)}`;
  return "";
}

/** A default as people write it: `on`, `1e-6`; empty where there is none. */
export function defaultText(row: OptionRow): string {
  const value = row.default;
  if (value === undefined) return "";
  if (typeof value === "boolean") return value ? "on" : "off";
  if (typeof value === "number" && value !== 0 && Math.abs(value) < 1e-3) return value.toExponential();
  return String(value);
}
