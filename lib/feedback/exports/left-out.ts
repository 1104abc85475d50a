// How many judged items a kind of rows leaves out because of what their answers are: rows of text have no place for images
// and clips, rows of segments none for images. Must not make rows.

import { type ReadItem, readItems } from "../read-judgements.js";
import type { Database } from "../store/tables.js";
import type { ReadExportOptions } from "./export-options.js";
import { isOfClips } from "./segment-rows.js";

export interface LeftOut {
  readonly reading: Database;
  readonly project: string;
  readonly options: Pick<ReadExportOptions, "kind" | "since" | "ai">;
  readonly isWanted: (item: ReadItem) => boolean;
}

export async function leftOut({ reading, project, options, isWanted }: LeftOut): Promise<number> {
  const purposes = options.ai ? (["work", "import", "ai"] as const) : (["work", "import"] as const);
  const rows = await reading
    .selectFrom("judgements as j")
    .select("j.item")
    .distinct()
    .where("j.project", "=", project)
    .where("j.item", "in", (e) => e.selectFrom("media").select("item").where("project", "=", project))
    .where("j.withdrawn", "=", 0)
    .where("j.counts", "=", 1)
    .where("j.purpose", "in", [...purposes])
    .where("j.seq", ">", options.since ?? 0)
    .execute();
  const names = rows.map(({ item }) => item);
  const items = [...(await readItems(reading, project, names)).values()].filter(isWanted);
  return items.filter((item) => options.kind !== "segments" || !isOfClips(item)).length;
}
