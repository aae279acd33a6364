/** Every word that the page itself says to a customer, in one place. */

import type { CallProblem, Channel } from "./types";

function duration(secs: number): string {
  const minutes = Math.floor(secs / 60);
  return `${minutes}:${String(secs % 60).padStart(2, "0")}`;
}

interface Remedy {
  title: string;
  remedy: string;
}

const callProblems: Record<CallProblem, Remedy> = {
  refused: {
    title: "The microphone is blocked",
    remedy: "Press the icon left of the web address, allow the microphone for this site, then try again.",
  },
  no_device: {
    title: "No microphone was found",
    remedy: "Plug in a microphone or a headset, then try again.",
  },
  device_busy: {
    title: "The microphone is in use",
    remedy: "Close the other app or tab that uses it, then try again.",
  },
  device_gone: {
    title: "The microphone was disconnected",
    remedy: "Plug it in again; the call goes on by itself as soon as it is back.",
  },
  insecure: {
    title: "Calls need a secure page",
    remedy: "Browsers give the microphone only to pages opened with https. You can go on by typing.",
  },
  busy: {
    title: "All lines are busy",
    remedy: "Try again in a moment, or go on by typing.",
  },
  network: {
    title: "The call could not be kept",
    remedy: "The connection was lost for too long. Check the network, then call again; nothing you said is lost.",
  },
  server: {
    title: "The call could not be started",
    remedy: "The server did not take the call. Try again, or go on by typing.",
  },
};

const channels: Record<Channel, string> = { text: "typed", browser: "spoken", phone: "by phone" };

const doing: Record<string, string> = {
  thinking: "Thinking",
  looking_up: "Looking it up",
  working: "Working on it",
  listening: "Listening",
  speaking: "Speaking",
  waiting: "Waiting for you",
  queued: "Waiting for a colleague",
  handed_off: "Asking a colleague",
  accepted: "A colleague is coming",
  declined: "No colleague is free just now",
  nobody: "No colleague is free just now",
  with_human: "A colleague is with you",
  human_typing: "A colleague is typing",
};

export const words = {
  doing,
  channels,
  callProblems,
  duration,
  unknownToken: "Your earlier conversation is no longer here, so this is a new one.",
  handedOff: "A colleague has been asked",
  callStarted: "Call started",
  callEnded: (secs: number): string => `Call ended after ${duration(secs)}`,
  offline: "You are offline. Your words stay here, and the page goes on by itself.",
  reconnecting: "The connection is lost. Trying again…",
  back: "Connected again.",
  unreachable: "The page could not reach its server.",
  interruptedAnswer: "The connection was lost before the answer was complete.",
  sendFailed: "This could not be sent.",
  stopped: "You stopped this answer.",
  unheard: "The rest was not heard.",
} as const;
