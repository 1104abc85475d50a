// The states that items and leases are in. Types only.

/** `enough`: as many judgements as wanted; `disputed`: people do not agree, and as many as may have been asked. */
export type ItemState = "open" | "enough" | "closed" | "disputed";

export type AssignmentState = "leased" | "submitted" | "skipped" | "expired" | "withdrawn";

/**
 * Why somebody is asked: for the judgement, or to see how far to trust theirs. What nobody asked here came from a file:
 * "import" of people, "ai" of programs.
 */
export type Purpose = "work" | "gold" | "repeat" | "import" | "ai";
