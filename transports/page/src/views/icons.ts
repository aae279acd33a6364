/** Line icons, 24 units square, drawn in the colour of their text. */

import { svg, type SVGTemplateResult, html, type TemplateResult } from "lit-html";

const paths = {
  phone: svg`<path d="M6.6 3.5 9.4 3l1.7 4.2-2 1.6a12 12 0 0 0 6.1 6.1l1.6-2 4.2 1.7-.5 2.8a2.6 2.6 0 0 1-2.8 2.1A15.6 15.6 0 0 1 4.5 6.3a2.6 2.6 0 0 1 2.1-2.8Z"/>`,
  hangUp: svg`<path d="M3 14.5c0-1 .2-2 .9-2.7C6 9.7 9 8.6 12 8.6s6 1.1 8.1 3.2c.7.7.9 1.7.9 2.7v1l-4.8.7-.9-3.1a12 12 0 0 0-6.6 0l-.9 3.1-4.8-.7Z"/>`,
  mic: svg`<rect x="9" y="3" width="6" height="11" rx="3"/><path d="M5.5 11.5a6.5 6.5 0 0 0 13 0M12 18v3"/>`,
  micOff: svg`<path d="M9 9v2a3 3 0 0 0 4.8 2.4M15 11V6a3 3 0 0 0-5.6-1.5M5.5 11.5a6.5 6.5 0 0 0 10.3 5.3M18.5 11.5a6.4 6.4 0 0 1-.6 2.7M12 18v3M4 4l16 16"/>`,
  send: svg`<path d="M12 19V5M6 11l6-6 6 6"/>`,
  stop: svg`<rect x="7" y="7" width="10" height="10" rx="2" fill="currentColor"/>`,
  keyboard: svg`<rect x="3" y="6" width="18" height="12" rx="2"/><path d="M7 10h.01M11 10h.01M15 10h.01M8 14h8"/>`,
  document: svg`<path d="M7 3h7l4 4v14H7ZM14 3v4h4M10 12h5M10 16h5"/>`,
  check: svg`<path d="m5 12.5 4.5 4.5L19 7.5"/>`,
  down: svg`<path d="M12 5v14M6 13l6 6 6-6"/>`,
  warning: svg`<path d="M12 4 2.8 20h18.4ZM12 10v4M12 17h.01"/>`,
  link: svg`<path d="M14 4h6v6M20 4l-9 9M18 14v6H4V6h6"/>`,
  fresh: svg`<path d="M20 12.5V18a2 2 0 0 1-2 2H6a2 2 0 0 1-2-2V6a2 2 0 0 1 2-2h5.5M10 14l.6-2.8L18.5 3.3l2.2 2.2-7.9 7.9Z"/>`,
  again: svg`<path d="M4.5 12a7.5 7.5 0 1 0 2.5-5.6L4.5 8.5M4.5 4v4.5H9"/>`,
} satisfies Record<string, SVGTemplateResult>;

export type IconName = keyof typeof paths;

export function icon(name: IconName): TemplateResult {
  return html`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">${paths[name]}</svg>`;
}
