// Public names of the toy world. Only the command line imports it.

export { cornerShop, type Demonstration, type Pair, type ShopRows } from "./corner-shop.js";
export { demonstrationLoss, pairAccuracy } from "./measure.js";
export { type QuickstartOptions, type QuickstartResult, quickstart } from "./quickstart.js";
export { writeTinyModel } from "./tiny-model.js";
