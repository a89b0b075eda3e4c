// One file for the image: starts in less than half the time of the sources with their node_modules, and holds nothing
// that is not used.
export default {
  input: "src/main.ts",
  platform: "node",
  output: {
    file: "dist/keyturn.mjs",
    format: "esm",
    codeSplitting: false,
    sourcemap: false,
    banner: "#!/usr/bin/env node",
  },
};
