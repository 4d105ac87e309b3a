import { fileURLToPath } from "node:url";

import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// The page is embedded in the binary from here: internal/server/web.
const dist = fileURLToPath(new URL("../internal/server/web/dist", import.meta.url));

// With `npm run dev` the API is that of a running `sparkwright serve`.
const server = process.env.SPARKWRIGHT_URL ?? "http://127.0.0.1:8000";

export default defineConfig({
  plugins: [react()],
  resolve: { alias: { "@": fileURLToPath(new URL("./src", import.meta.url)) } },
  // The server puts a fresh nonce in its place; style elements need it.
  html: { cspNonce: "__CSP_NONCE__" },
  build: {
    outDir: dist,
    emptyOutDir: true,
    assetsInlineLimit: 0,
    target: "es2022",
    manifest: true,
    chunkSizeWarningLimit: 1200,
  },
  server: {
    port: 5173,
    proxy: { "/api": { target: server, changeOrigin: true, headers: { origin: server } } },
  },
});
