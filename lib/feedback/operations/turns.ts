// Which of several processes on one store does a work that only one may do. Must not know what the work is.

import type { OperationContext } from "./context.js";

export interface Turn {
  /** Empty: nobody's. */
  readonly owner: string;
  /** Counts its signs of life. */
  readonly beat: number;
}

/** Whose it is; and holds its row until the transaction ends. */
export async function turnOf(
  { writing }: Pick<OperationContext, "writing">,
  name: string,
): Promise<Turn | undefined> {
  const row = await writing
    .updateTable("turns")
    .set((e) => ({ beat: e.ref("beat") }))
    .where("name", "=", name)
    .returning(["owner", "beat"])
    .executeTakeFirst();
  return row === undefined ? undefined : { owner: row.owner, beat: Number(row.beat) };
}

export interface HoldTurn {
  readonly name: string;
  readonly owner: string;
  /** The sign of life that has been another process's last for long: it is over. */
  readonly silent?: Turn;
}

/** A sign of life of the process whose turn it is, or the beginning of one; whose it is now. */
export async function holdTurn(context: OperationContext, { name, owner, silent }: HoldTurn): Promise<Turn> {
  await context.writing
    .insertInto("turns")
    .values({ name, owner: "", beat: 0 })
    .onConflict((conflict) => conflict.column("name").doNothing())
    .execute();
  const held = (await turnOf(context, name)) ?? { owner: "", beat: 0 };
  const over = silent !== undefined && silent.owner === held.owner && silent.beat === held.beat;
  if (held.owner !== owner && held.owner !== "" && !over) return held;
  const next = { owner, beat: held.beat + 1 };
  await context.writing.updateTable("turns").set(next).where("name", "=", name).execute();
  return next;
}

/** Another process may begin at once. */
export async function releaseTurn(
  { writing }: OperationContext,
  { name, owner }: Pick<HoldTurn, "name" | "owner">,
): Promise<void> {
  await writing
    .updateTable("turns")
    .set({ owner: "" })
    .where("name", "=", name)
    .where("owner", "=", owner)
    .execute();
}
