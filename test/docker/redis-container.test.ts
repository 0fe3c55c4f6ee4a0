import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, inject, it } from 'vitest';

const run = promisify(execFile);
const lab = inject('docker');

/** Runs the contract tests of the Redis broker as a developer would whose engine is at `host`. Returns their output. */
async function runContractTests(host: string): Promise<string> {
  const env = { ...process.env, CI: '', DOCKER_HOST: host, TESTCONTAINERS_RYUK_DISABLED: 'true' };
  const args = ['vitest', 'run', '--project', 'system', 'test/contract/redis-broker.test.ts'];
  return (await run('npx', args, { env })).stdout;
}

describe('the tests on a machine with Docker', () => {
  it.skipIf(lab.unavailable)(
    'take their Redis from a container',
    async () => {
      expect(await runContractTests(lab.host)).toContain(`Redis: a container of ${lab.images.redis}`);
    },
    120_000,
  );

  it('use redis-server when the engine has no image and reaches no registry', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'heliograph-engine-'));
    const socket = join(folder, 'docker.sock');
    const engine = createServer((request, response) => {
      const isHealthCheck = /_ping|\/info|\/version/.test(request.url ?? '');
      response.writeHead(isHealthCheck ? 200 : 500, { 'content-type': 'application/json' }).end('{}');
    }).listen(socket);
    try {
      expect(await runContractTests(`unix://${socket}`)).toMatch(/No Redis container: .*\n.*Redis: \//s);
    } finally {
      engine.close();
      rmSync(folder, { recursive: true });
    }
  }, 120_000);
});
