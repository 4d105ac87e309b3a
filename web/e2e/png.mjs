// Makes a screenshot small: a picture of the page has a few colours that matter, so each pixel becomes a place in a palette of 256.
import { deflateSync, inflateSync } from "node:zlib";

const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);

/** An 8-bit PNG without transparency or interlacing, as Chromium makes them, as one with a palette. */
export function indexed(png) {
  const { width, height, pixels } = decode(png);
  const counts = new Map();
  for (const p of pixels) counts.set(p, (counts.get(p) ?? 0) + 1);
  const palette = chosen([...counts].sort((a, b) => b[1] - a[1]).map(([colour]) => colour));
  const place = new Map(palette.map((colour, i) => [colour, i]));
  const raw = Buffer.alloc((width + 1) * height); // each line begins with filter 0
  pixels.forEach((p, i) => {
    let at = place.get(p);
    if (at === undefined) place.set(p, (at = nearest(palette, p)));
    raw[i + Math.floor(i / width) + 1] = at;
  });
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head.set([8, 3, 0, 0, 0], 8);
  const colours = Buffer.from(palette.flatMap((c) => [c >> 16, (c >> 8) & 255, c & 255]));
  return Buffer.concat([signature, chunk("IHDR", head), chunk("PLTE", colours), chunk("IDAT", deflateSync(raw, { level: 9 })), chunk("IEND", Buffer.alloc(0))]);
}

/** The most frequent colours that differ from one another: a small icon keeps its own, though grey edges of letters are more. */
function chosen(colours) {
  const palette = [];
  for (const apart of [40, 20, 10, 5, 0]) {
    for (const c of colours) {
      if (palette.length === 256) return palette;
      if (palette.every((p) => distance(p, c) > apart ** 2)) palette.push(c);
    }
  }
  return palette;
}

const distance = (a, b) => ((a >> 16) - (b >> 16)) ** 2 + (((a >> 8) & 255) - ((b >> 8) & 255)) ** 2 + ((a & 255) - (b & 255)) ** 2;

function nearest(palette, p) {
  return palette.reduce((best, c, i) => (distance(c, p) < distance(palette[best], p) ? i : best), 0);
}

function decode(png) {
  let width = 0;
  let height = 0;
  let channels = 0;
  const data = [];
  for (let at = signature.length; at < png.length; ) {
    const length = png.readUInt32BE(at);
    const kind = png.toString("latin1", at + 4, at + 8);
    const body = png.subarray(at + 8, at + 8 + length);
    if (kind === "IHDR") {
      width = body.readUInt32BE(0);
      height = body.readUInt32BE(4);
      channels = { 2: 3, 6: 4 }[body[9]] ?? 0;
      if (body[8] !== 8 || channels === 0 || body[12] !== 0) throw new Error("a PNG of another kind than Chromium's");
    } else if (kind === "IDAT") data.push(body);
    at += length + 12;
  }
  const raw = inflateSync(Buffer.concat(data));
  const stride = width * channels;
  const line = Buffer.alloc(stride);
  const before = Buffer.alloc(stride);
  const pixels = new Uint32Array(width * height);
  for (let y = 0; y < height; y++) {
    const from = y * (stride + 1);
    const filter = raw[from];
    for (let x = 0; x < stride; x++) {
      const left = x >= channels ? line[x - channels] : 0;
      const up = before[x];
      const corner = x >= channels ? before[x - channels] : 0;
      line[x] = raw[from + 1 + x] + [0, left, up, (left + up) >> 1, filter === 4 ? paeth(left, up, corner) : 0][filter];
    }
    line.copy(before);
    for (let x = 0; x < width; x++) pixels[y * width + x] = (line[x * channels] << 16) | (line[x * channels + 1] << 8) | line[x * channels + 2];
  }
  return { width, height, pixels };
}

function paeth(a, b, c) {
  const [da, db, dc] = [Math.abs(b - c), Math.abs(a - c), Math.abs(a + b - 2 * c)];
  return da <= db && da <= dc ? a : db <= dc ? b : c;
}

const crcs = Uint32Array.from({ length: 256 }, (_, n) => {
  for (let k = 0; k < 8; k++) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1;
  return n >>> 0;
});

function chunk(kind, body) {
  const out = Buffer.alloc(body.length + 12);
  out.writeUInt32BE(body.length, 0);
  out.write(kind, 4, "latin1");
  body.copy(out, 8);
  let crc = 0xffffffff;
  for (const b of out.subarray(4, body.length + 8)) crc = crcs[(crc ^ b) & 255] ^ (crc >>> 8);
  out.writeUInt32BE((crc ^ 0xffffffff) >>> 0, body.length + 8);
  return out;
}
