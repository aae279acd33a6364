/** The conversation, typed and spoken turns in one thread. */

import { html, nothing, type TemplateResult } from "lit-html";
import { guard } from "lit-html/directives/guard.js";
import { repeat } from "lit-html/directives/repeat.js";
import { unsafeHTML } from "lit-html/directives/unsafe-html.js";

import { gap, lastSaid, withoutCitations } from "../items";
import { markdownBlocks, safeUrl } from "../markdown";
import type { Button, Card, Channel, Doing, Item, Said, Source, State } from "../types";
import { words } from "../words";
import type { Actions } from "./actions";
import { icon, type IconName } from "./icons";

type Drawn = TemplateResult | typeof nothing;

export function thread(state: State, actions: Actions): TemplateResult {
  const last = lastSaid(state.items, () => true);
  const marked = state.items.some((item) => item.kind === "said" && item.channel !== "text");
  return html`<ol class="thread" id="thread" aria-label="Conversation">
    ${repeat(
      state.items,
      (item) => item.id,
      (item) => guard([item, item === last, marked], () => turn(item, item === last, marked, actions)),
    )}
  </ol>`;
}

function turn(item: Item, isLast: boolean, marked: boolean, actions: Actions): TemplateResult {
  if (item.kind === "notice") return html`<li class="notice" data-kind="notice"><span>${item.text}</span></li>`;
  return html`<li class="turn ${item.who}" data-who=${item.who} data-phase=${item.phase} data-channel=${item.channel}>
    ${speaker(item)}
    <div class="body">${body(item)}</div>
    ${item.doing !== null || isBlank(item) ? working(item.doing) : nothing}
    ${item.cards.map(receipt)} ${item.buttons.length > 0 ? buttons(item.buttons, actions) : nothing}
    ${item.sources.length > 0 ? sources(item.sources) : nothing}
    ${item.phase === "stopped" ? html`<p class="aside">${words.stopped}</p>` : nothing}
    ${item.problem !== null ? trouble(item, actions) : nothing} ${marked ? channelMark(item.channel) : nothing}
    ${isLast && item.quickReplies.length > 0 ? quickReplies(item.quickReplies, actions) : nothing}
  </li>`;
}

function isBlank(item: Said): boolean {
  return item.phase === "waiting" && item.text === "";
}

function speaker(item: Said): TemplateResult {
  const who = { customer: "You", agent: "Agent", human: item.name ?? "A colleague" }[item.who];
  return html`<p class=${item.who === "human" ? "speaker" : "unseen"}>${who}</p>`;
}

function body(item: Said): Drawn | TemplateResult[] {
  if (item.speech !== null) return item.who === "customer" ? callerWords(item) : agentSpeech(item);
  if (item.text === "") return nothing;
  if (item.who !== "agent") return html`<p class="plain">${item.text}</p>`;
  return markdownBlocks(withoutCitations(item.text)).map((block) => html`<div class="md">${unsafeHTML(block)}</div>`);
}

function callerWords(item: Said): TemplateResult {
  const interim = item.speech?.interim ?? "";
  const changing = interim ? html`<span class="interim">${interim}</span>` : nothing;
  return html`<p class="plain">${item.text}${gap(item.text, interim)}${changing}</p>`;
}

/** Words are in full ink once played; the rest of the sentence is lighter, and fades when it was cut off. */
function agentSpeech(item: Said): TemplateResult {
  const { segments, cut } = item.speech!;
  const rest = segments.map((segment) => segment.rest).filter(Boolean).join(" ");
  const unheard = cut
    ? html`<span class="unheard" aria-hidden="true">${rest}</span>`
    : html`<span class="coming">${rest}</span>`;
  return html`<p class="plain">${item.text}${gap(item.text, rest)}${rest ? unheard : nothing}</p>
    ${cut ? html`<p class="aside">${words.unheard}</p>` : nothing}`;
}

function working(doing: Doing | null): TemplateResult {
  return html`<p class="working">
    <span class="dots" aria-hidden="true"><i></i><i></i><i></i></span>
    <span class="what">${doingWords(doing)}</span>
  </p>`;
}

/** The server's own words for what goes on, or the page's for a state that came without. */
export function doingWords(doing: Doing | null): string {
  const said = doing?.words || words.doing[doing?.state ?? "thinking"] || words.doing["thinking"] || "";
  return said.charAt(0).toUpperCase() + said.slice(1);
}

function receipt(card: Card): TemplateResult {
  return html`<section class="card" aria-label=${card.title}>
    <p class="card-title">${icon("check")}<span>${card.title}</span></p>
    ${card.rows.length > 0
      ? html`<dl>
          ${card.rows.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}
        </dl>`
      : nothing}
  </section>`;
}

function buttons(list: Button[], actions: Actions): TemplateResult {
  return html`<div class="row">${list.map((button) => oneButton(button, actions))}</div>`;
}

function oneButton(button: Button, actions: Actions): Drawn {
  const url = safeUrl(button.url, location.href);
  if (url !== null) {
    return html`<a class="button" href=${url} target="_blank" rel="noopener noreferrer">
      <span>${button.title}</span>${icon("link")}</a
    >`;
  }
  const text = button.text;
  if (!text) return nothing;
  return html`<button class="button" type="button" @click=${() => actions.send(text)}>${button.title}</button>`;
}

function sources(list: Source[]): TemplateResult {
  return html`<ul class="sources" aria-label="Sources">
    ${list.map((source) => html`<li>${chip(source)}</li>`)}
  </ul>`;
}

function chip(source: Source): TemplateResult {
  const url = safeUrl(source.url, location.href);
  const inside = html`${icon("document")}<span>${source.name}</span>`;
  return url === null
    ? html`<span class="chip">${inside}</span>`
    : html`<a class="chip" href=${url} target="_blank" rel="noopener noreferrer">${inside}</a>`;
}

function quickReplies(list: string[], actions: Actions): TemplateResult {
  return html`<div class="row quick" role="group" aria-label="Suggested replies">
    ${list.map(
      (reply) => html`<button class="button" type="button" @click=${() => actions.send(reply)}>${reply}</button>`,
    )}
  </div>`;
}

function trouble(item: Said, actions: Actions): TemplateResult {
  const { message, again } = item.problem!;
  const retry = again
    ? html`<button class="button" type="button" @click=${() => actions.again(item)}>${icon("again")}Try again</button>`
    : html`<button class="button" type="button" @click=${() => actions.edit(item)}>Change the message</button>`;
  return html`<div class="trouble" role="alert">
    <p>${icon("warning")}<span>${message}</span></p>
    ${retry}
  </div>`;
}

const channelIcons: Record<Channel, IconName> = { text: "keyboard", browser: "mic", phone: "phone" };

function channelMark(channel: Channel): TemplateResult {
  return html`<p class="channel">${icon(channelIcons[channel])}<span>${words.channels[channel]}</span></p>`;
}
