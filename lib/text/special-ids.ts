// Finds which ids begin and end a text, from the small JSON files beside a tokenizer.json.
// Must not read files itself.

/** Ids that a folder's other files give a meaning to. */
export interface SpecialIds {
  readonly eosIds: readonly number[];
  readonly bosId: number | undefined;
}

type Json = Readonly<Record<string, unknown>>;

/** Parsed files of a model folder; an absent file is an empty object. */
export interface FolderFiles {
  readonly tokenizerConfig: Json;
  readonly specialTokensMap: Json;
  readonly generationConfig: Json;
  readonly config: Json;
}

/**
 * `eosIds[0]` is the token that the tokenizer's own files call EOS, else the generation's, else the model's; the
 * others are further ids at which generation stops.
 */
export function specialIdsOf(files: FolderFiles, idOf: (token: string) => number | undefined): SpecialIds {
  const named = (key: "eos_token" | "bos_token") => {
    const token = nameOf(files.tokenizerConfig[key]) ?? nameOf(files.specialTokensMap[key]);
    return token === undefined ? undefined : idOf(token);
  };
  const numbers = (key: "eos_token_id" | "bos_token_id") => [
    ...idsOf(files.generationConfig[key]),
    ...idsOf(files.config[key]),
  ];
  const eos = named("eos_token");
  const eosIds = [...(eos === undefined ? [] : [eos]), ...numbers("eos_token_id")];
  return { eosIds: [...new Set(eosIds)], bosId: named("bos_token") ?? numbers("bos_token_id")[0] };
}

/** A token is written as text or as an object with its `content`. */
function nameOf(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  if (typeof value !== "object" || value === null || !("content" in value)) return undefined;
  return typeof value.content === "string" ? value.content : undefined;
}

function idsOf(value: unknown): number[] {
  const list: readonly unknown[] = Array.isArray(value) ? value : [value];
  return list.filter((id): id is number => typeof id === "number" && Number.isInteger(id) && id >= 0);
}
