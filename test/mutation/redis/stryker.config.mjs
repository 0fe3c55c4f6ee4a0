import { readFileSync } from 'node:fs';

const config = JSON.parse(readFileSync(new URL('../stryker.config.json', import.meta.url), 'utf8'));

/** As without Redis, with other tests and results of its own. */
export default {
  ...config,
  mutate: ['services/shared/broker/redis/*.ts'],
  vitest: { configFile: 'test/mutation/redis/vitest.config.ts' },
  incrementalFile: '.cache/stryker/redis.json',
};
