import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { type ChildProgram, startProgram } from '../support/child-program.ts';
import { eventually } from '../support/eventually.ts';

const MAIN = fileURLToPath(new URL('../../services/webhook/main.ts', import.meta.url));
const programs: ChildProgram[] = [];

function start(env: Record<string, string>): ChildProgram {
  const program = startProgram({ file: MAIN, env });
  programs.push(program);
  return program;
}

function portOf(program: ChildProgram, sentence: string): Promise<number> {
  return eventually(() => {
    const port = program.log().find(({ msg }) => msg === sentence)?.port;
    if (typeof port !== 'number') throw new Error(`not yet: ${sentence}\n${JSON.stringify(program.output())}`);
    return port;
  });
}

/** Returns a port of loopback on which nothing listens. */
async function closedPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

afterEach(async () => {
  await Promise.all(programs.splice(0).map((program) => program.end()));
});

describe('the webhook process', () => {
  it('reports all problems of its environment, without secrets, before any port opens', async () => {
    const program = start({
      WEBHOOK_PORT: 'http',
      LEGACY_WEBHOOK: 'yes',
      WEBHOOK_TOKENS: 'hunter 2',
      ADMIN_PORT: '-1',
    });
    expect(await program.ended).toEqual({ code: 1, signal: null });
    const { stdout, stderr } = program.output();
    expect(stdout).toBe('');
    expect(stderr).toMatch(/^5 problems with the environment:\n/);
    for (const name of ['WEBHOOK_PORT', 'LEGACY_WEBHOOK', 'WEBHOOK_TOKENS', 'ADMIN_PORT', 'REDIS_URL']) {
      expect(stderr).toMatch(new RegExp(`^  ${name} must `, 'm'));
    }
    expect(stderr).not.toContain('hunter');
  });

  it('does not start without a token', async () => {
    const program = start({ REDIS_URL: 'redis://127.0.0.1:1' });
    expect(await program.ended).toEqual({ code: 1, signal: null });
    expect(program.output().stderr).toBe(
      '1 problem with the environment:\n' +
        '  WEBHOOK_TOKENS must contain a token, or WEBHOOK_SECRETS a secret, or WEBHOOK_SOURCES a source: otherwise no publisher can authenticate\n',
    );
  });

  it('is alive without Redis, responds with 503 in time, and exits with code 0 at SIGTERM', async () => {
    const program = start({
      REDIS_URL: `redis://127.0.0.1:${await closedPort()}`,
      WEBHOOK_TOKENS: 'hunter2-hunter2-hunter2',
      WEBHOOK_HOST: '127.0.0.1',
      WEBHOOK_PORT: '0',
      ADMIN_HOST: '127.0.0.1',
      ADMIN_PORT: '0',
    });
    const admin = await portOf(program, 'the admin server listens');
    const port = await portOf(program, 'the webhook listens');
    const response = await fetch(`http://127.0.0.1:${port}/webhook`, {
      method: 'POST',
      headers: { authorization: 'Bearer hunter2-hunter2-hunter2', 'content-type': 'application/json' },
      body: '{"topic":"chat"}',
      signal: AbortSignal.timeout(3000),
    });
    expect(response.status).toBe(503);
    expect(response.headers.get('retry-after')).toBe('1');
    expect(await response.json()).toMatchObject({ code: 'broker_unavailable' });
    expect((await fetch(`http://127.0.0.1:${admin}/livez`)).status).toBe(200);
    expect(await (await fetch(`http://127.0.0.1:${admin}/metrics`)).text()).toContain(
      'webhook_requests_total{code="503"} 1',
    );
    program.process.kill('SIGTERM');
    expect(await program.ended).toEqual({ code: 0, signal: null });
    expect(program.output().stdout).not.toContain('hunter2');
  });
});
