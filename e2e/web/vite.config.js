import { copyFileSync, mkdirSync } from "node:fs";
import { defineConfig } from "vite";

// Hydrogen's service worker has to lie beside the page, unchanged.
mkdirSync("public", { recursive: true });
copyFileSync("node_modules/hydrogen-view-sdk/lib-build/sw.js", "public/sw.js");

export default defineConfig({
	base: "./",
	build: { chunkSizeWarningLimit: 4000 },
});
