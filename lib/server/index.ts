// Public names of the server room: the feedback service over HTTP, to serve or to mount. It needs no addon.

export { createFeedbackApp, type FeedbackAppOptions } from "./feedback-app.js";
export { type ServedFeedback, type ServeFeedbackOptions, serveFeedback } from "./listen.js";
export { feedbackHandler, type NodeHandler } from "./node-handler.js";
export type { SiteOptions } from "./site.js";
