import { defineConfig } from 'vitest/config';

/** The tests that Stryker runs for code that needs Redis: those without services as processes, with a Redis of their own. */
export default defineConfig({
  test: {
    include: [
      'test/unit/shared/broker/*.test.ts',
      'test/contract/redis-{broker,relay-registry,guarded-broker,sentinel-broker,cluster-broker}.test.ts',
      'test/integration/redis-{signals-are-proven,links-survive-failover}.test.ts',
    ],
    globalSetup: 'test/mutation/redis/global-setup.ts',
    testTimeout: 60_000,
    hookTimeout: 60_000,
    isolate: false,
    env: { FUZZ_RUNS: '50' },
  },
});
