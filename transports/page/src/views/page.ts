/** The whole page out of the state. */

import { html, nothing, type TemplateResult } from "lit-html";
import { live } from "lit-html/directives/live.js";

import { isAnswering, isFresh, lastSaid } from "../items";
import type { State } from "../types";
import { words } from "../words";
import type { Actions } from "./actions";
import { callBar, callLine } from "./call";
import { icon } from "./icons";
import { doingWords, thread } from "./thread";

type Drawn = TemplateResult | typeof nothing;

export function page(state: State, scrolledUp: boolean, actions: Actions): TemplateResult {
  if (state.phase === "opening") return html`<main class="middle" aria-busy="true"><p class="unseen">Loading</p></main>`;
  if (state.phase === "unreachable") return unreachable(actions);
  const fresh = isFresh(state);
  return html`
    ${header(state, fresh, actions)}
    <main class=${fresh ? "middle" : "column"}>
      ${state.items.length > 0 ? thread(state, actions) : nothing} ${fresh ? welcome(state, actions) : nothing}
    </main>
    <footer class="dock">
      ${scrolledUp && !fresh ? toEnd(actions) : nothing} ${connection(state)} ${presence(state)}
      ${callBar(state, actions)} ${composer(state, actions)}
    </footer>
    <p class="unseen" role="status" aria-live="polite" id="spoken">${announcement(state)}</p>
  `;
}

function unreachable(actions: Actions): TemplateResult {
  return html`<main class="middle">
    <div class="welcome" role="alert">
      <h1>${words.unreachable}</h1>
      <button class="button" type="button" @click=${() => actions.reload()}>${icon("again")}Try again</button>
    </div>
  </main>`;
}

function header(state: State, fresh: boolean, actions: Actions): TemplateResult {
  return html`<header class="top">
    ${fresh ? html`<span></span>` : html`<h1>${state.business?.name}</h1>`}
    <div class="top-buttons">
      ${fresh ? nothing : forgetting(state, actions)}
      ${state.business?.voice === true && canCall(state) ? callButton(actions) : nothing}
    </div>
  </header>`;
}

function canCall(state: State): boolean {
  return state.call.phase === "none";
}

function callButton(actions: Actions): TemplateResult {
  return html`<button class="button primary" type="button" id="call" @click=${() => actions.call()}>
    ${icon("phone")}<span>Call</span>
  </button>`;
}

function forgetting(state: State, actions: Actions): TemplateResult {
  if (!state.askingToForget) {
    return html`<button class="button quiet" type="button" @click=${() => actions.askToForget(true)}>
      ${icon("fresh")}<span class="wide">New conversation</span>
    </button>`;
  }
  return html`<span class="asking" role="group" aria-label="Leave this conversation?">
    <span>Leave this one?</span>
    <button class="button" type="button" @click=${() => actions.forget()}>Yes</button>
    <button class="button" type="button" @click=${() => actions.askToForget(false)}>No</button>
  </span>`;
}

function welcome(state: State, actions: Actions): TemplateResult {
  const business = state.business!;
  return html`<div class="welcome">
    <span class="badge" aria-hidden="true">${business.name.charAt(0)}</span>
    <h1>${business.name}</h1>
    <p>${business.line}</p>
    ${state.call.phase === "none" ? starters(business.starters, actions) : nothing}
  </div>`;
}

function starters(list: string[], actions: Actions): TemplateResult {
  return html`<div class="starters" role="group" aria-label="Questions to start with">
    ${list.map(
      (starter) => html`<button class="button" type="button" @click=${() => actions.send(starter)}>${starter}</button>`,
    )}
  </div>`;
}

function toEnd(actions: Actions): TemplateResult {
  return html`<button class="button to-end" type="button" @click=${() => actions.toEnd()}>
    ${icon("down")}<span>To the newest</span>
  </button>`;
}

function connection(state: State): Drawn {
  if (state.network === "fine") return nothing;
  if (state.network === "back") return html`<p class="banner good">${icon("check")}<span>${words.back}</span></p>`;
  const line = navigator.onLine ? words.reconnecting : words.offline;
  return html`<p class="banner" role="alert">${icon("warning")}<span>${line}</span></p>`;
}

function presence(state: State): Drawn {
  if (state.presence === null) return nothing;
  const typing = state.presence.state === "human_typing";
  return html`<p class="presence" data-state=${state.presence.state}>
    ${typing
      ? html`<span class="dots" aria-hidden="true"><i></i><i></i><i></i></span>`
      : html`<span class="lamp" aria-hidden="true"></span>`}
    <span class="what">${doingWords(state.presence)}</span>
  </p>`;
}

function composer(state: State, actions: Actions): TemplateResult {
  const answering = state.items.some(isAnswering);
  const submit = (event: Event): void => {
    event.preventDefault();
    actions.submit();
  };
  const onKey = (event: KeyboardEvent): void => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) submit(event);
  };
  return html`<form class="composer" @submit=${submit}>
    <label class="unseen" for="message">Message</label>
    <textarea
      id="message"
      rows="1"
      autocomplete="off"
      enterkeyhint="send"
      placeholder="Write a message"
      .value=${live(state.draft)}
      @input=${(event: Event) => actions.type((event.target as HTMLTextAreaElement).value)}
      @keydown=${onKey}
    ></textarea>
    ${answering
      ? html`<button class="round" type="button" aria-label="Stop the answer" title="Stop (Esc)" @click=${() => actions.stop()}>
          ${icon("stop")}
        </button>`
      : nothing}
    <button
      class="round primary"
      type="submit"
      aria-label="Send"
      title="Send (Enter)"
      ?hidden=${answering && state.draft.trim() === ""}
      ?disabled=${state.draft.trim() === ""}
    >
      ${icon("send")}
    </button>
  </form>`;
}

/** What a screen reader is told: finished answers and captions, and what goes on between them. */
export function announcement(state: State): string {
  const { call } = state;
  const last = lastSaid(state.items, (item) => item.who !== "customer");
  const inCall = call.phase !== "none" && call.phase !== "ended" && call.phase !== "problem";
  if (inCall && call.phase !== "live") return callLine(call);
  if (last === null) return "";
  if (last.phase === "waiting" || (last.phase === "streaming" && last.speech === null)) return doingWords(last.doing);
  if (last.phase === "failed") return "";
  if (last.phase === "stopped") return words.stopped;
  return last.who === "human" ? `${last.name ?? "A colleague"}: ${last.text}` : last.text;
}
