// SPDX-License-Identifier: Apache-2.0
// Bundles scripts and styles into ../static: two files, fixed names; pages add a digest of the content to their address.
import { build } from "esbuild";
import { mkdir } from "node:fs/promises";

const outdir = new URL("../static/", import.meta.url).pathname;
await mkdir(outdir, { recursive: true });
await build({
  entryPoints: { console: "scripts/console.js" },
  absWorkingDir: new URL(".", import.meta.url).pathname,
  bundle: true,
  minify: true,
  format: "iife",
  target: ["es2022"],
  legalComments: "linked",
  outdir,
  logLevel: "info",
});
await build({
  entryPoints: { console: "styles/console.css" },
  absWorkingDir: new URL(".", import.meta.url).pathname,
  bundle: true,
  minify: true,
  target: ["chrome111", "firefox113", "safari16.4"],
  outdir,
  logLevel: "info",
});
