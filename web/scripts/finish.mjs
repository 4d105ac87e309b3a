// After the build: compresses the assets, and fails when the first load is too
// large. The first load is the document with everything it names and what those
// import, without what is imported lazily.
import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

const budget = 350_000; // bytes, gzip
const dist = fileURLToPath(new URL("../../internal/server/web/dist", import.meta.url));

const manifest = JSON.parse(await readFile(path.join(dist, ".vite/manifest.json"), "utf8"));
const first = new Set();
const visit = (key) => {
  const chunk = manifest[key];
  if (first.has(chunk.file)) return;
  first.add(chunk.file);
  for (const css of chunk.css ?? []) first.add(css);
  for (const asset of chunk.assets ?? []) {
    // Of the fonts a browser loads the one of basic Latin at once.
    if (!asset.endsWith(".woff2") || /inter-latin-wght/.test(asset)) first.add(asset);
  }
  for (const next of chunk.imports ?? []) visit(next);
};
visit("index.html");

const html = await readFile(path.join(dist, "index.html"));
let total = gzipSync(html).length;
for (const name of await readdir(path.join(dist, "assets"))) {
  const file = path.join(dist, "assets", name);
  const content = await readFile(file);
  let size = content.length;
  if (/\.(js|css|svg|json)$/.test(name) && content.length > 512) {
    const gz = gzipSync(content, { level: 9 });
    const br = brotliCompressSync(content, { params: { [constants.BROTLI_PARAM_QUALITY]: 10 } });
    size = gz.length;
    await writeFile(file + ".gz", gz);
    await writeFile(file + ".br", br);
  }
  if (first.has("assets/" + name)) {
    total += size;
    console.log(`  ${String(size).padStart(7)}  ${name}`);
  }
}
await rm(path.join(dist, ".vite"), { recursive: true });

console.log(`first load: ${(total / 1000).toFixed(1)} kB gzip of ${budget / 1000} kB`);
if (total > budget) {
  console.error(`the first load is ${total} bytes, more than ${budget}: load something lazily`);
  await rm(path.join(dist, "index.html")); // what is too large is not embedded
  process.exit(1);
}
