/** The business's accent colour, made readable on both backgrounds (WCAG 2.2, contrast 4.5 to 1). */

type Rgb = readonly [number, number, number];

// The darkest light and the lightest dark surface that accent-coloured words stand on (app.css).
const LIGHT_PAGE: Rgb = [232, 234, 239];
const DARK_PAGE: Rgb = [44, 49, 58];
const WANTED_CONTRAST = 4.6;

export function accentProperties(accent: string): Record<string, string> {
  const colour = parse(accent);
  const readable = contrast(colour, [255, 255, 255]) >= contrast(colour, [0, 0, 0]) ? "#ffffff" : "#000000";
  return {
    "--accent": accent,
    "--on-accent": readable,
    "--accent-on-light": hex(towards(colour, [0, 0, 0], LIGHT_PAGE)),
    "--accent-on-dark": hex(towards(colour, [255, 255, 255], DARK_PAGE)),
  };
}

/** Moves a colour towards another in small steps until it is readable on the page. */
function towards(colour: Rgb, end: Rgb, page: Rgb): Rgb {
  for (let part = 0; part < 1; part += 0.05) {
    const mixed = mix(colour, end, part);
    if (contrast(mixed, page) >= WANTED_CONTRAST) return mixed;
  }
  return end;
}

function mix(from: Rgb, to: Rgb, part: number): Rgb {
  const channel = (at: 0 | 1 | 2): number => Math.round(from[at] + (to[at] - from[at]) * part);
  return [channel(0), channel(1), channel(2)];
}

function parse(accent: string): Rgb {
  const value = parseInt(accent.slice(1), 16);
  return [(value >> 16) & 255, (value >> 8) & 255, value & 255];
}

function hex(colour: Rgb): string {
  return `#${colour.map((channel) => channel.toString(16).padStart(2, "0")).join("")}`;
}

function contrast(one: Rgb, other: Rgb): number {
  const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b) as [number, number];
  return (light + 0.05) / (dark + 0.05);
}

function luminance(colour: Rgb): number {
  const [red, green, blue] = colour.map((channel) => {
    const part = channel / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}
