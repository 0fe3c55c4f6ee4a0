import { defineConfig } from 'vitest/config';

/** The tests that run for each changed script, in a thread of their own. `main.ts` provides the script and a Redis. */
export default defineConfig({
  test: {
    include: ['test/contract/*.test.ts', 'test/integration/*.test.ts'],
    setupFiles: ['test/mutation/lua/changed-script.ts'],
    pool: 'threads',
    maxWorkers: 1,
    bail: 1,
  },
});
