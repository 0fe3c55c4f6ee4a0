import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: 'test/support/global-setup.ts',
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 20_000,
    hookTimeout: 60_000,
    // CI counts from the report; people read the other one.
    reporters: process.env.CI ? ['default', ['json', { outputFile: 'coverage/report.json' }]] : ['default'],
  },
});
