import { defineConfig } from "vite";

// One page script, one worker, two kernels; names without hashes, as the server puts the hash of
// all of them into the folder's URL.
export default defineConfig({
  base: "./",
  publicDir: "public",
  build: {
    outDir: "../src/upreel/server/built",
    emptyOutDir: true,
    target: "es2022",
    modulePreload: false,
    chunkSizeWarningLimit: 700, // hls.js
    assetsDir: "",
    cssCodeSplit: false,
    rolldownOptions: {
      input: "src/player.ts",
      output: {
        entryFileNames: "player.js",
        chunkFileNames: "[name].js",
        assetFileNames: "player[extname]",
      },
    },
  },
  worker: {
    format: "es",
    rolldownOptions: { output: { entryFileNames: "worker.js" } },
  },
});
