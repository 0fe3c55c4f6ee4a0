import { defineConfig } from 'vitest/config';

/** The tests that Stryker runs for each mutant, in one thread that loads each module once. */
export default defineConfig({
  test: {
    include: ['test/unit/**/*.test.ts', 'test/contract/{memory,simulated}-broker.test.ts'],
    testTimeout: 10_000,
    isolate: false,
    env: { FUZZ_RUNS: '50' },
  },
});
