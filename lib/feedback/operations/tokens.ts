// Keeps tokens: secrets of this installation, which no event tells. Must not make them.

import { fail } from "../../errors/index.js";
import type { TokensTable } from "../store/tables.js";
import type { OperationContext } from "./context.js";

/** @throws ATTUNE_NOT_FOUND for a person who is not there: nothing would be open to them */
export async function keepToken(
  context: OperationContext,
  { row }: { readonly row: TokensTable },
): Promise<void> {
  if (row.annotator !== null && row.project !== null) {
    const known = await context.writing
      .selectFrom("annotators")
      .select("annotator")
      .where("project", "=", row.project)
      .where("annotator", "=", row.annotator)
      .executeTakeFirst();
    if (known === undefined)
      throw fail(
        "ATTUNE_NOT_FOUND",
        `Expected an annotator of the project but there is no "${row.annotator}". Add the person first.`,
      );
  }
  await context.writing.insertInto("tokens").values(row).execute();
}

export interface RevokeToken {
  readonly token: string;
  /** It may be one of every project: whoever revokes it is no owner of this project alone. */
  readonly every?: boolean;
}

/** From now on it opens nothing. @throws ATTUNE_NOT_FOUND, for tokens of other projects too */
export async function revokeToken(
  context: OperationContext,
  { token, every = false }: RevokeToken,
): Promise<void> {
  const found = await context.writing
    .updateTable("tokens")
    .set({ revoked: context.now })
    .where("token", "=", token)
    .where("revoked", "is", null)
    .where((e) => e.or([e("project", "=", context.project), ...(every ? [e("project", "is", null)] : [])]))
    .returning("token")
    .executeTakeFirst();
  if (found === undefined)
    throw fail("ATTUNE_NOT_FOUND", `Expected a token that is in use but there is no "${token}".`);
}
