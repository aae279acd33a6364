/** Keeps the conversation's token over a reload; where the browser forbids it, only until then. */

const KEY = "openline.token";

export function rememberedToken(): string | null {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
}

export function rememberToken(token: string | null): void {
  try {
    if (token === null) localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, token);
  } catch {
    // Storage is blocked: the conversation lasts as long as the page.
  }
}
