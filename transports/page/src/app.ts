/** The page at `/`: makes the store, draws it, and carries out what the customer asks for. */

import { render } from "lit-html";

import { accentProperties } from "./accent";
import type { CallModule } from "./call-types";
import { isAnswering, isFresh } from "./items";
import { rememberedToken } from "./memory";
import { initialState, reduce } from "./reduce";
import { Session } from "./session";
import { createStore } from "./store";
import type { Business } from "./types";
import type { Actions } from "./views/actions";
import { page } from "./views/page";

const END_WITHIN_PX = 80;

const root = document.getElementById("page")!;
const store = createStore(initialState(rememberedToken()), reduce);
const callModule = new URL("call.js", import.meta.url).href;
const session = new Session(store, () => import(callModule) as Promise<CallModule>);

let following = true;
let frame = 0;
let dressedFor: Business | null = null;

const actions: Actions = {
  send(text) {
    following = true;
    session.send(text);
    focusComposer();
  },
  submit() {
    const { draft } = store.state;
    if (draft.trim() === "") return;
    store.dispatch({ type: "draft", text: "" });
    actions.send(draft);
  },
  type: (text) => store.dispatch({ type: "draft", text }),
  stop() {
    session.stop();
    focusComposer();
  },
  again(item) {
    void session.again(item);
    focusComposer();
  },
  edit(item) {
    session.edit(item);
    focusComposer();
  },
  call() {
    following = true;
    void session.startCall();
    focusSoon(".call .button.danger");
  },
  mute: (muted) => session.mute(muted),
  hangUp() {
    session.hangUp();
    focusSoon(".call .button, #message");
  },
  closeCall() {
    session.hangUp();
    focusComposer();
  },
  askToForget(asking) {
    store.dispatch({ type: "forget/ask", asking });
    focusSoon(asking ? ".asking .button" : ".top .button.quiet");
  },
  forget() {
    session.forget();
    focusComposer();
  },
  reload: () => location.reload(),
  toEnd() {
    following = true;
    scrollToEnd("smooth");
    focusComposer();
  },
};

function draw(): void {
  frame = 0;
  dress();
  render(page(store.state, !following, actions), root);
  fitComposer();
  if (following && !isFresh(store.state)) scrollToEnd("instant");
}

/** One drawing per frame, however many actions came. */
function drawSoon(): void {
  frame ||= requestAnimationFrame(draw);
}

/** Gives the page its business's name, language and colour. */
function dress(): void {
  const { business } = store.state;
  if (business === null || business === dressedFor) return;
  dressedFor = business;
  document.title = business.name;
  document.documentElement.lang = business.language;
  for (const [name, value] of Object.entries(accentProperties(business.accent))) {
    document.documentElement.style.setProperty(name, value);
  }
}

function fitComposer(): void {
  const box = document.querySelector<HTMLTextAreaElement>("#message");
  if (box === null || CSS.supports("field-sizing", "content")) return;
  box.style.height = "auto";
  box.style.height = `${box.scrollHeight}px`;
}

function scrollToEnd(behavior: ScrollBehavior): void {
  window.scrollTo({ top: document.documentElement.scrollHeight, behavior });
}

/** The view follows the end unless the reader scrolled up. */
function onScroll(): void {
  const { scrollHeight } = document.documentElement;
  const atEnd = scrollHeight - window.scrollY - window.innerHeight < END_WITHIN_PX;
  if (atEnd === following) return;
  following = atEnd;
  drawSoon();
}

function focusComposer(): void {
  focusSoon("#message");
}

function focusSoon(selector: string): void {
  drawSoon();
  requestAnimationFrame(() => document.querySelector<HTMLElement>(selector)?.focus({ preventScroll: true }));
}

function onKey(event: KeyboardEvent): void {
  if (event.key !== "Escape") return;
  if (store.state.askingToForget) actions.askToForget(false);
  else if (store.state.items.some(isAnswering)) actions.stop();
}

store.watch(drawSoon);
window.addEventListener("scroll", onScroll, { passive: true });
window.addEventListener("keydown", onKey);
window.addEventListener("offline", () => store.dispatch({ type: "network", network: "lost" }));
window.addEventListener("online", () => void session.online());
drawSoon();
void session.open().then(() => focusComposer());
