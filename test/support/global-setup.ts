import { execFileSync } from 'node:child_process';
import type { TestProject } from 'vitest/node';
import { findProgram, installMissing } from './find-program.ts';
import { startSharedRedis } from './shared-redis.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** A Redis that all tests share: use a key prefix of your own. */
    redisUrl: string;
    chromiumPath: string;
  }
}

/** The programs that tests start, and the Debian packages that have them. */
const PROGRAMS: readonly (readonly [name: string, debianPackage: string])[] = [
  ...(process.env.HELIOGRAPH_TEST_REDIS ? [] : [['redis-server', 'redis-server'] as const]),
  ['chromium', 'chromium'],
  ['nginx', 'nginx'],
  ['haproxy', 'haproxy'],
  ['prometheus', 'prometheus'],
  ['pg_ctlcluster', 'postgresql'],
  ['openssl', 'openssl'],
  ['curl', 'curl'],
  ['python3', 'python3'],
  ['ip', 'iproute2'],
  ['iptables', 'iptables'],
];

/** Once before all tests: builds, and finds what the tests need of the machine. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  execFileSync('npm', ['run', '--silent', 'build'], { stdio: ['ignore', 'ignore', 'inherit'] });
  installMissing(PROGRAMS);
  const redis = await startSharedRedis();
  const chromiumPath = findProgram('chromium', 'chromium');
  console.info(`Redis: ${redis.what}\nChromium: ${chromiumPath}`);
  project.provide('redisUrl', redis.url);
  project.provide('chromiumPath', chromiumPath);
  return () => redis.stop();
}
