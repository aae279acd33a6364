// Builds the page into the folder given as the first argument (default: static).
import { createHash } from "node:crypto";
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const out = process.argv[2] ?? join(here, "static");

rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });

const result = await build({
  absWorkingDir: here,
  entryPoints: ["src/app.ts", "src/call.ts", "src/app.css"],
  outdir: out,
  bundle: true,
  minify: true,
  format: "esm",
  target: ["chrome123", "firefox121", "safari17.5"],
  legalComments: "none",
  metafile: true,
  alias: { "@daily-co/daily-js": "./src/daily-absent.ts" },
  logLevel: "warning",
});

for (const name of ["index.html", "icon.svg"]) cpSync(join(here, "src", name), join(out, name));
writeFileSync(join(out, "LICENSES.txt"), licences(Object.keys(result.metafile.inputs)));

/** The licence of every package of which something is in the bundle. */
function licences(inputs) {
  const found = inputs.map((input) => /node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(input)?.[1]).filter(Boolean);
  return [...new Set(found)].sort().map(licence).join("\n\n");
}

function licence(name) {
  const folder = join(here, "node_modules", name);
  const about = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const file = readdirSync(folder).find((one) => /^licen[cs]e(\.(md|txt))?$/i.test(one));
  const text = file === undefined ? "Its package brings no text of the licence." : readFileSync(join(folder, file), "utf8").trim();
  return `${name} ${about.version}, ${about.license}\n\n${text}\n`;
}

for (const name of readdirSync(out).sort()) {
  const bytes = readFileSync(join(out, name));
  console.log(`${createHash("sha256").update(bytes).digest("hex").slice(0, 12)} ${bytes.length} ${name}`);
}
