import { defineConfig } from 'vitest/config';

/** The tests that Stryker runs for each mutant: those of one part alone, in one process. */
export default defineConfig({
  test: { include: ['test/unit/**/*.test.ts'], testTimeout: 60_000, pool: 'forks', maxWorkers: 1 },
});
