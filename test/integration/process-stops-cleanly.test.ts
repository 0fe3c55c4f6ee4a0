import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { type ChildProgram, startProgram } from '../support/child-program.ts';
import { eventually } from '../support/eventually.ts';
import { startService } from '../support/service-process.ts';
import { WEBHOOK_TOKEN } from '../support/tokens.ts';

const FIXTURE = fileURLToPath(new URL('../support/process-fixture.ts', import.meta.url));
const programs: ChildProgram[] = [];

function start(env: Record<string, string> = {}): ChildProgram {
  const program = startProgram({ file: FIXTURE, env: { ADMIN_HOST: '127.0.0.1', ...env } });
  programs.push(program);
  return program;
}

const sentences = (program: ChildProgram) => program.log().map(({ msg }) => msg);
const running = (program: ChildProgram, sentence = 'running') =>
  eventually(() => expect(sentences(program)).toContain(sentence));

function adminUrl(program: ChildProgram): string {
  const line = program.log().find(({ msg }) => msg === 'the admin server listens');
  return `http://127.0.0.1:${line?.port}`;
}

afterEach(async () => {
  await Promise.all(programs.splice(0).map((program) => program.end()));
});

describe('a process that is asked to stop', () => {
  it.each(['SIGTERM', 'SIGINT'] as const)(
    'stops its parts in reverse order at %s, with exit code 0',
    async (signal) => {
      const program = start();
      await running(program);
      program.process.kill(signal);
      expect(await program.ended).toEqual({ code: 0, signal: null });
      const told = sentences(program);
      expect(told.filter((sentence) => /^(first|third) /.test(String(sentence)))).toEqual([
        'first started',
        'third started',
        'third stopped',
        'first stopped',
      ]);
      expect(program.output().stderr).toBe('');
    },
  );

  it.each(['webhook', 'chat'] as const)(
    'ends pooled connections, if it is a %s, while load balancers learn that it stops',
    async (role) => {
      const env = { REDIS_URL: 'redis://127.0.0.1:1', WEBHOOK_URL: 'http://127.0.0.1:1', DRAIN_WAIT: '1m' };
      const tokens = { WEBHOOK_TOKENS: WEBHOOK_TOKEN, WEBHOOK_TOKEN };
      await using service = await startService(role, { ...env, ...tokens }, { until: 'livez' });
      const connection = async () =>
        (await fetch(`http://127.0.0.1:${service.port}/nothing`)).headers.get('connection');
      expect(await connection()).toBe('keep-alive');
      service.kill('SIGTERM');
      await eventually(async () => expect(await connection()).toBe('close'));
    },
  );

  it('is alive but not ready while it stops', async () => {
    const program = start({ FIXTURE_DOES: 'hang-at-stop', SHUTDOWN_TIMEOUT: '1m' });
    await running(program);
    const url = adminUrl(program);
    await eventually(async () => expect((await fetch(`${url}/readyz`)).status).toBe(200));
    program.process.kill('SIGTERM');
    await eventually(async () => expect((await fetch(`${url}/readyz`)).status).toBe(503));
    expect((await fetch(`${url}/livez`)).status).toBe(200);
  });

  it('exits at the deadline with code 1, and names the parts that have not stopped', async () => {
    const program = start({ FIXTURE_DOES: 'hang-at-stop', SHUTDOWN_TIMEOUT: '200ms' });
    await running(program);
    program.process.kill('SIGTERM');
    expect(await program.ended).toEqual({ code: 1, signal: null });
    expect(program.log().at(-1)).toMatchObject({ remaining: ['admin server', 'first', 'server', 'second'] });
  });

  it('exits at once at a second signal', async () => {
    const program = start({ FIXTURE_DOES: 'hang-at-stop', SHUTDOWN_TIMEOUT: '1m' });
    await running(program);
    program.process.kill('SIGTERM');
    await running(program, 'third stopped');
    program.process.kill('SIGTERM');
    expect(await program.ended).toEqual({ code: 143, signal: null });
  });

  it('stops all other parts if one fails to stop, with exit code 1', async () => {
    const program = start({ FIXTURE_DOES: 'fail-at-stop' });
    await running(program);
    program.process.kill('SIGTERM');
    expect(await program.ended).toEqual({ code: 1, signal: null });
    expect(sentences(program)).toContain('first stopped');
  });

  it('exits with code 0 even while it is starting', async () => {
    const program = start({ FIXTURE_DOES: 'hang-at-start' });
    await running(program, 'first started');
    program.process.kill('SIGTERM');
    expect(await program.ended).toEqual({ code: 0, signal: null });
    expect(sentences(program)).toContain('first stopped');
  });
});

describe('a process whose standard output is closed', () => {
  it('continues, and stops when asked to', async () => {
    const program = start();
    await running(program);
    const url = adminUrl(program);
    program.process.stdout?.destroy();
    program.process.kill('SIGTERM');
    expect(await program.ended).toEqual({ code: 0, signal: null });
    await expect(fetch(`${url}/livez`)).rejects.toThrow();
  });

  it('stops even if it has to log a failure', async () => {
    const program = start({ FIXTURE_DOES: 'throw-later' });
    program.process.stdout?.destroy();
    expect(await program.ended).toEqual({ code: 1, signal: null });
  });
});

describe('a process that fails', () => {
  it('logs in one line why it cannot start, stops the started parts, and exits with code 1', async () => {
    const program = start({ FIXTURE_DOES: 'fail-at-start' });
    expect(await program.ended).toEqual({ code: 1, signal: null });
    const fatal = program.log().filter(({ level }) => level === 60);
    expect(fatal.map(({ msg }) => msg)).toEqual(['could not start: second: its file is missing']);
    expect(fatal[0]).not.toHaveProperty('err');
    expect(sentences(program)).toContain('first stopped');
    expect(sentences(program)).not.toContain('third started');
  });

  it('adds the stack trace of a programming error', async () => {
    const program = start({ FIXTURE_DOES: 'throw-at-start' });
    expect(await program.ended).toEqual({ code: 1, signal: null });
    const fatal = program.log().find(({ level }) => level === 60);
    expect(fatal).toMatchObject({ msg: 'could not start: second: a mistake', err: { type: 'TypeError' } });
    expect(fatal).toHaveProperty('err.stack', expect.stringContaining('process-fixture.ts'));
  });

  it('names the port that is in use', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await eventually(() => expect(other.listening).toBe(true));
    const { port } = other.address() as AddressInfo;
    const program = start({ FIXTURE_PORT: String(port) });
    expect(await program.ended).toEqual({ code: 1, signal: null });
    expect(program.log().find(({ level }) => level === 60)?.msg).toBe(
      `could not start: FIXTURE_PORT: port ${port} of 127.0.0.1 is in use by another process: stop it or choose another port`,
    );
    other.close();
  });

  it.each([
    ['an unhandled rejection', 'reject-later', 'an unhandled rejection'],
    ['an uncaught exception', 'throw-later', 'an uncaught exception'],
  ])('logs %s, stops, and exits with code 1', async (_, does, message) => {
    const program = start({ FIXTURE_DOES: does });
    expect(await program.ended).toEqual({ code: 1, signal: null });
    expect(program.log().find(({ level }) => level === 60)).toMatchObject({ err: { message } });
    expect(sentences(program)).toContain('first stopped');
  });

  it('stops and exits with code 1 when it aborts', async () => {
    const program = start({ FIXTURE_DOES: 'abort-later' });
    expect(await program.ended).toEqual({ code: 1, signal: null });
    expect(sentences(program)).toContain('stopping, cannot continue: the cluster has other settings');
    expect(sentences(program)).toContain('first stopped');
  });
});

describe('an invalid environment', () => {
  it('is reported completely on standard error, with exit code 1, before any port opens', async () => {
    const program = start({ ADMIN_PORT: '99999', LOG_LEVEL: 'loud', FIXTURE_DELAY: '5 minutes', FIXTURE_DOES: 'x' });
    expect(await program.ended).toEqual({ code: 1, signal: null });
    expect(program.output()).toEqual({
      stdout: '',
      stderr: [
        '4 problems with the environment:',
        '  LOG_LEVEL must be one of: trace, debug, info, warn, error, fatal, silent',
        '  ADMIN_PORT must be a whole number from 0 to 65535',
        '  FIXTURE_DOES must be one of: run, hang-at-stop, fail-at-stop, fail-at-start, throw-at-start, hang-at-start, reject-later, throw-later, abort-later',
        '  FIXTURE_DELAY must be a duration such as 500ms, 4s, 2m or 1h',
        '',
      ].join('\n'),
    });
  });
});
