// Keeps tokens: secrets of this installation, which no event tells. Must not make them.

import { fail } from "../../errors/index.js";
import type { TokensTable } from "../store/tables.js";
import type { OperationContext } from "./context.js";

export async function keepToken(
  context: OperationContext,
  { row }: { readonly row: TokensTable },
): Promise<void> {
  await context.writing.insertInto("tokens").values(row).execute();
}

/** From now on it opens nothing. @throws ATTUNE_NOT_FOUND */
export async function revokeToken(
  context: OperationContext,
  { token }: { readonly token: string },
): Promise<void> {
  const found = await context.writing
    .updateTable("tokens")
    .set({ revoked: context.now })
    .where("token", "=", token)
    .where("revoked", "is", null)
    .returning("token")
    .executeTakeFirst();
  if (found === undefined)
    throw fail("ATTUNE_NOT_FOUND", `Expected a token that is in use but there is no "${token}".`);
}
