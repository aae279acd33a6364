/** The call: what goes on, how loud both sides are, mute, hang up; and every way that it can go wrong. */

import { html, nothing, type TemplateResult } from "lit-html";

import type { Call, CallProblem, State } from "../types";
import { words } from "../words";
import type { Actions } from "./actions";
import { icon } from "./icons";
import { doingWords } from "./thread";

const METER_BARS = [0.15, 0.35, 0.55, 0.75, 0.95] as const;

export function callBar(state: State, actions: Actions): TemplateResult | typeof nothing {
  const { call } = state;
  switch (call.phase) {
    case "none":
      return nothing;
    case "ended":
      return ended(call, actions);
    case "problem":
      return problem(call.problem ?? "server", actions);
    default:
      return running(call, actions);
  }
}

/** One short line: what the agent is doing now. */
export function callLine(call: Call): string {
  switch (call.phase) {
    case "loading":
    case "connecting":
      return "Connecting";
    case "asking":
      return "Allow the microphone to start the call";
    case "reconnecting":
      return "Connection lost. Trying again";
    default:
      return liveLine(call);
  }
}

function liveLine(call: Call): string {
  if (call.agentSpeaking) return words.doing["speaking"] ?? "";
  if (call.deaf) return words.callProblems.device_gone.title;
  if (call.callerSpeaking) return words.doing["listening"] ?? "";
  if (call.doing !== null && call.doing.state !== "") return doingWords(call.doing);
  return call.muted ? "You are muted" : (words.doing["listening"] ?? "");
}

function running(call: Call, actions: Actions): TemplateResult {
  const live = call.phase === "live" || call.phase === "reconnecting";
  const secs = Math.floor((call.now - call.startedAt) / 1000);
  return html`<section class="call" aria-label="Call" data-phase=${call.phase}>
    <div class="call-now">
      ${meter(call)}
      <p class="call-line">
        <span class="what">${callLine(call)}</span>
        ${live ? html`<span class="clock">${words.duration(secs)}</span>` : nothing}
      </p>
    </div>
    ${call.deaf ? html`<p class="call-remedy">${words.callProblems.device_gone.remedy}</p>` : nothing}
    <div class="call-buttons">
      ${live ? muteButton(call, actions) : nothing}
      <button class="button danger" type="button" @click=${() => actions.hangUp()}>
        ${icon("hangUp")}<span>${live ? "Hang up" : "Cancel"}</span>
      </button>
    </div>
  </section>`;
}

function muteButton(call: Call, actions: Actions): TemplateResult {
  return html`<button
    class="button"
    type="button"
    aria-pressed=${call.muted ? "true" : "false"}
    @click=${() => actions.mute(!call.muted)}
  >
    ${icon(call.muted ? "micOff" : "mic")}<span>${call.muted ? "Muted" : "Mute"}</span>
  </button>`;
}

function meter(call: Call): TemplateResult {
  const level = call.agentSpeaking ? call.agentLevel : call.muted || call.deaf ? 0 : call.micLevel;
  const whose = call.agentSpeaking ? "agent" : "caller";
  return html`<span class="meter" data-whose=${whose} data-level=${level.toFixed(2)} aria-hidden="true">
    ${METER_BARS.map((from) => html`<i data-on=${level >= from ? "true" : "false"}></i>`)}
  </span>`;
}

function ended(call: Call, actions: Actions): TemplateResult {
  const secs = Math.round((call.now - call.startedAt) / 1000);
  return html`<section class="call" aria-label="Call" data-phase="ended">
    <p class="call-line"><span class="what">Call ended</span><span class="clock">${words.duration(secs)}</span></p>
    <div class="call-buttons">
      <button class="button" type="button" @click=${() => actions.call()}>
        ${icon("phone")}<span>Call again</span>
      </button>
      <button class="button" type="button" @click=${() => actions.closeCall()}>Type instead</button>
    </div>
  </section>`;
}

function problem(kind: CallProblem, actions: Actions): TemplateResult {
  const { title, remedy } = words.callProblems[kind];
  return html`<section class="call" aria-label="Call" data-phase="problem" data-problem=${kind} role="alert">
    <p class="call-line">${icon(kind === "refused" ? "micOff" : "warning")}<span class="what">${title}</span></p>
    <p class="call-remedy">${remedy}</p>
    <div class="call-buttons">
      ${kind === "insecure"
        ? nothing
        : html`<button class="button" type="button" @click=${() => actions.call()}>
            ${icon("again")}<span>Try again</span>
          </button>`}
      <button class="button" type="button" @click=${() => actions.closeCall()}>Type instead</button>
    </div>
  </section>`;
}
