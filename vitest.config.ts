import { defineConfig } from 'vitest/config';
import { LongestFirst } from './test/support/longest-first.ts';

/** Tests that need no build, no server and no browser: a single one of them runs within seconds. */
const UNIT = [
  'test/unit/**/*.test.ts',
  'test/architecture.test.ts',
  'test/dashboard.test.ts',
  'test/docs.test.ts',
  'test/language.test.ts',
];

const setupFiles = ['test/support/limits-by-load.ts'];

export default defineConfig({
  test: {
    pool: 'forks',
    maxWorkers: 5, // most system tests wait most of the time
    sequence: { sequencer: LongestFirst },
    // CI counts from the JSON report.
    reporters: process.env.CI ? ['default', ['json', { outputFile: 'coverage/report.json' }]] : ['default'],
    projects: [
      {
        extends: true,
        // A process for each file would double their CPU time.
        test: { name: 'unit', include: UNIT, setupFiles, isolate: false },
      },
      {
        extends: true,
        test: {
          name: 'system',
          include: ['test/**/*.test.ts'],
          exclude: [...UNIT, 'test/docker/**', 'test/kubernetes/**', 'test/model/**'],
          globalSetup: 'test/support/global-setup.ts',
          setupFiles,
        },
      },
      {
        // Searches of all states of the protocol: `npm run test:model`. One at a time, since each needs a gigabyte.
        extends: true,
        test: { name: 'model', include: ['test/model/**/*.test.ts'], fileParallelism: false, testTimeout: 600_000 },
      },
      {
        // The image and Compose, with a Docker engine: `npm run test:docker`.
        extends: true,
        test: {
          name: 'docker',
          include: ['test/docker/**/*.test.ts'],
          globalSetup: 'test/docker/global-setup.ts',
          fileParallelism: false,
          testTimeout: 20_000,
        },
      },
      {
        // A real cluster, which the tests may break: `KUBE_TEST_CONTEXT=... npm run test:kubernetes`. Each file has a
        // namespace of its own.
        extends: true,
        test: {
          name: 'kubernetes',
          include: ['test/kubernetes/**/*.test.ts'],
          globalSetup: 'test/kubernetes/global-setup.ts',
          maxWorkers: 3, // most of the time they wait
        },
      },
    ],
  },
});
