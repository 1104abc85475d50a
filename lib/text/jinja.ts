// Renders one chat template as transformers does: @huggingface/jinja with its globals, the clock passed in.
// Must not read files or know messages: chat-template.ts does.

import * as untyped from "@huggingface/jinja";
import { strftime } from "./strftime.js";

interface JinjaEnvironment {
  set(name: string, value: unknown): unknown;
}

interface Jinja {
  /** Parses with `trim_blocks` and `lstrip_blocks`, as transformers does; `{% generation %}` is passed through. */
  readonly Template: new (
    source: string,
  ) => { readonly parsed: object };
  readonly Environment: new () => JinjaEnvironment;
  readonly Interpreter: new (
    environment: JinjaEnvironment,
  ) => { run(program: object): { readonly value: unknown } };
}

// The package's own declarations do not resolve under "nodenext": their imports lack file endings.
const jinja = untyped as unknown as Jinja;

/** What a template itself refused with `raise_exception`. */
export class RaisedByTemplate extends Error {
  override readonly name = "RaisedByTemplate";
}

export type JinjaVariables = Readonly<Record<string, unknown>>;
export type CompiledTemplate = (variables: JinjaVariables, date: Date) => string;

/** Parses once; what is returned renders. Throws the parser's error. */
export function compileTemplate(source: string): CompiledTemplate {
  const { parsed } = new jinja.Template(source);
  return (variables, date) => {
    const environment = new jinja.Environment();
    const all = { ...globals, strftime_now: (format: string) => strftime(date, format), ...variables };
    for (const [name, value] of Object.entries(all)) environment.set(name, value);
    return String(new jinja.Interpreter(environment).run(parsed).value);
  };
}

const globals: JinjaVariables = {
  true: true,
  false: false,
  none: null,
  True: true,
  False: false,
  None: null,
  range,
  raise_exception: (message: unknown) => {
    throw new RaisedByTemplate(String(message));
  },
};

/** Python's. */
function range(from: number, to?: number, step = 1): number[] {
  const [start, stop] = to === undefined ? [0, from] : [from, to];
  if (step === 0) throw new RangeError("range() step must not be zero");
  const count = Math.max(0, Math.ceil((stop - start) / step));
  return Array.from({ length: count }, (_, i) => start + i * step);
}
