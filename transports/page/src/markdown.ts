/** Markdown of the agent's answers into safe markup: HTML in the source is shown as the text it is. */

import DOMPurify from "dompurify";
import { Marked, type Token } from "marked";

const marked = new Marked({ gfm: true, breaks: true });
marked.use({
  renderer: {
    html: ({ text }) => escape(text),
    image: ({ text, href }) => escape(text || href),
    // The page's own headings stay its outline, so those of an answer are strong lines.
    heading({ tokens }) {
      return `<p><strong>${this.parser.parseInline(tokens)}</strong></p>`;
    },
    checkbox: ({ checked }) => (checked ? "☑ " : "☐ "),
  },
});

function escape(text: string): string {
  return text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;").replace(/"/g, "&quot;");
}

const ALLOWED_TAGS = "p br strong em del a ul ol li code pre blockquote hr table thead tbody tr th td".split(" ");

DOMPurify.addHook("afterSanitizeAttributes", (node) => {
  if (node.tagName !== "A") return;
  node.setAttribute("target", "_blank");
  node.setAttribute("rel", "noopener noreferrer nofollow");
});

function clean(html: string): string {
  return DOMPurify.sanitize(html, {
    ALLOWED_TAGS,
    ALLOWED_ATTR: ["href", "align", "start"],
    ALLOWED_URI_REGEXP: /^(?:https?:|mailto:|tel:)/i,
    ALLOW_DATA_ATTR: false,
    ALLOW_ARIA_ATTR: false,
  });
}

/** One safe HTML string per block, so that while words stream in only the last one changes. */
export function markdownBlocks(source: string): string[] {
  const tokens = marked.lexer(source);
  return tokens.filter((token) => token.type !== "space").map((token) => clean(parseOne(token)));
}

function parseOne(token: Token): string {
  return marked.parser([token]);
}

const SAFE = new Set(["http:", "https:", "mailto:", "tel:"]);

/** The address if it may be opened from here, otherwise null. */
export function safeUrl(url: string | null | undefined, base: string): string | null {
  if (!url) return null;
  try {
    const parsed = new URL(url, base);
    return SAFE.has(parsed.protocol) ? parsed.href : null;
  } catch {
    return null;
  }
}
