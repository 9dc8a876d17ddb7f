// Puts the browser client together in dist/: the page, the bundled program, and the files of Hydrogen's
// SDK that it loads by name.
import { cpSync, mkdirSync, rmSync } from "node:fs";
import { build } from "esbuild";

const sdk = "node_modules/hydrogen-view-sdk";
rmSync("dist", { recursive: true, force: true });
mkdirSync("dist");
await build({
	entryPoints: ["src/main.js"],
	outfile: "dist/main.js",
	bundle: true,
	minify: true,
	format: "esm",
	target: "es2022",
	logLevel: "info",
	// Parts of the SDK ask for Node's modules where there is no browser.
	external: ["crypto", "fs", "path"],
});
cpSync(`${sdk}/asset-build/assets`, "dist/assets", { recursive: true });
cpSync(`${sdk}/asset-build/assets/download-sandbox.html`, "dist/download-sandbox.html");
cpSync(`${sdk}/asset-build/assets/main.js`, "dist/worker.js");
cpSync(`${sdk}/lib-build/sw.js`, "dist/sw.js");
// Last: the demo takes its presence as the sign of a complete build.
cpSync("index.html", "dist/index.html");
