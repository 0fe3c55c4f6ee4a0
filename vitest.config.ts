import { defineConfig } from 'vitest/config';

/** Tests that need no build, no server and no browser: a single one of them runs within seconds. */
const UNIT = ['test/unit/**/*.test.ts', 'test/architecture.test.ts', 'test/docs.test.ts', 'test/language.test.ts'];

export default defineConfig({
  test: {
    pool: 'forks',
    maxWorkers: 2,
    // CI counts from the JSON report.
    reporters: process.env.CI ? ['default', ['json', { outputFile: 'coverage/report.json' }]] : ['default'],
    projects: [
      {
        extends: true,
        test: { name: 'unit', include: UNIT },
      },
      {
        extends: true,
        test: {
          name: 'system',
          include: ['test/**/*.test.ts'],
          exclude: UNIT,
          globalSetup: 'test/support/global-setup.ts',
          testTimeout: 20_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
});
