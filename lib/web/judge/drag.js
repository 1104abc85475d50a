// Dragging a card of a ranking to a place: with a mouse by the whole card, with a finger by its handle, so that a page still
// scrolls. Must not know what a place means.

/** Less is a click. */
const BEGIN = 6;

/** `drop` is told `{ with }` (an answer of that tier), `{ above }` (undefined: at the end) or `{ tray: true }`. */
export function draggable({ element, handle, drop }) {
  element.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || (event.pointerType !== "mouse" && !handle.contains(event.target))) return;
    if (event.target.closest(".tool") === null) followPointer({ element, event, drop });
  });
  element.addEventListener("dragstart", (event) => event.preventDefault());
}

function followPointer({ element, event: down, drop }) {
  let moving = false;
  let target;
  // A fast pointer leaves the card between two events: the whole window listens.
  const listening = new AbortController();
  const listen = (name, listener) =>
    addEventListener(name, (event) => event.pointerId === down.pointerId && listener(event), {
      signal: listening.signal,
    });
  listen("pointermove", (event) => {
    const [x, y] = [event.clientX - down.clientX, event.clientY - down.clientY];
    if (!moving && Math.hypot(x, y) < BEGIN) return;
    moving = true;
    element.setAttribute("data-dragged", "");
    element.style.transform = `translate(${x}px, ${y}px)`;
    target = targetAt(event, element);
    mark(target);
  });
  const end = (drops) => {
    listening.abort();
    element.style.transform = "";
    element.removeAttribute("data-dragged");
    mark(undefined);
    if (!moving) return;
    ignoreClick();
    // Enter sends the item off, it does not press the card again.
    if (element.contains(document.activeElement)) document.activeElement.blur();
    if (drops && target !== undefined) drop(target.meaning);
  };
  listen("pointerup", () => end(true));
  listen("pointercancel", () => end(false));
}

/** The click that a browser makes of a drag that ends where it began. */
function ignoreClick() {
  const swallow = (click) => click.stopPropagation();
  addEventListener("click", swallow, { capture: true, once: true });
  setTimeout(() => removeEventListener("click", swallow, { capture: true }), 0);
}

/** Over a tier's middle: equal to it; over its edges: above it, or below. */
function targetAt({ clientX, clientY }, dragged) {
  const board = dragged.closest(".ranking");
  const under = document
    .elementsFromPoint(clientX, clientY)
    .filter((one) => board.contains(one) && !dragged.contains(one));
  const tray = under.find((one) => one.matches(".tray"));
  if (tray !== undefined) return { element: tray, edge: "in", meaning: { tray: true } };
  const tiers = [...board.querySelectorAll(".tier")];
  const over = tiers.findIndex((tier) => clientY < tier.getBoundingClientRect().bottom);
  if (over < 0)
    return {
      element: tiers.at(-1) ?? board.querySelector(".tiers"),
      edge: "below",
      meaning: { above: undefined },
    };
  const tier = tiers[over];
  const { top, height } = tier.getBoundingClientRect();
  const share = (clientY - top) / height;
  if (share >= 0.25 && share <= 0.75)
    return { element: tier, edge: "in", meaning: { with: answerOf(tier, dragged) } };
  const above = share < 0.25 ? tier : tiers[over + 1];
  return {
    element: tier,
    edge: share < 0.25 ? "above" : "below",
    meaning: { above: above === undefined ? undefined : answerOf(above, dragged) },
  };
}

/** Any answer that stays there; the dragged one itself where it is alone. */
function answerOf(tier, dragged) {
  const cards = [...tier.querySelectorAll("[data-card]")];
  const other = cards.find((card) => card !== dragged) ?? cards[0];
  return Number(other.getAttribute("data-card"));
}

function mark(target) {
  for (const one of document.querySelectorAll("[data-drop]")) one.removeAttribute("data-drop");
  target?.element.setAttribute("data-drop", target.edge);
}
