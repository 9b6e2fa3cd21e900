// Unit tests of the pages' pure modules; what needs a browser is in the *.test.mjs files.
import { defineConfig } from "vitest/config";

export default defineConfig({ test: { include: ["unit/*.spec.ts"], environment: "node" } });
