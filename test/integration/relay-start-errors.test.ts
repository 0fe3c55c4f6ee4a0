import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, inject, it } from 'vitest';
import { type ChildProgram, startProgram } from '../support/child-program.ts';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/free-port.ts';
import { randomPrefix } from '../support/random-prefix.ts';

const MAIN = fileURLToPath(new URL('../../services/relay/main.ts', import.meta.url));
const WITHOUT_BINARY = createRequire(import.meta.url).resolve('../support/without-native-binary.cjs');
const programs: ChildProgram[] = [];
afterEach(async () => {
  await Promise.all(programs.splice(0).map((program) => program.end()));
});

async function start(env: Record<string, string>): Promise<ChildProgram> {
  const own = { REDIS_URL: inject('redisUrl'), HELIOGRAPH_PREFIX: randomPrefix(), RELAY_HOST: '127.0.0.1' };
  const program = startProgram({ file: MAIN, env: { ...own, ADMIN_PORT: '0', RELAY_PORT: '0', ...env } });
  programs.push(program);
  return program;
}

describe('a relay process', () => {
  it('names every invalid setting before any port opens', async () => {
    const program = await start({
      RELAY_PORT: '70000',
      DRAIN_WINDOW: '2m',
      ALLOWED_ORIGINS: 'example.org',
      SUBSCRIBE_AUTH: 'required',
      TRUSTED_PROXIES: '10.0.0.0/99',
      ORIGIN_RPS: 'many',
      JWT_PUBLIC_KEY: 'hunter2',
      TLS_CERT_FILE: '/nowhere/cert.pem',
    });
    expect(await program.ended).toEqual({ code: 1, signal: null });
    const { stdout, stderr } = program.output();
    expect(stdout).toBe('');
    for (const name of [
      'RELAY_PORT',
      'DRAIN_WINDOW',
      'ALLOWED_ORIGINS',
      'SUBSCRIBE_AUTH',
      'TRUSTED_PROXIES',
      'ORIGIN_RPS',
      'JWT_PUBLIC_KEY',
      'TLS_CERT_FILE',
    ]) {
      expect(stderr).toMatch(new RegExp(`^  ${name} (must|needs) `, 'm'));
    }
    expect(stderr).not.toContain('hunter2');
  });

  it('says that its port is in use', async () => {
    const port = String(await freePort());
    const first = await start({ RELAY_PORT: port });
    await eventually(() => expect(first.log().some(({ msg }) => msg === 'relay is listening')).toBe(true));
    const second = await start({ RELAY_PORT: port });
    expect(await second.ended).toEqual({ code: 1, signal: null });
    expect(second.output().stdout).toContain(`could not start: RELAY_PORT: port ${port} of 127.0.0.1 is in use`);
  });

  it('says that the native part of uWebSockets.js cannot be loaded, and which page helps, if only that may run', async () => {
    const program = await start({ NODE_OPTIONS: `--require ${WITHOUT_BINARY}`, RELAY_ENGINE: 'uws' });
    expect(await program.ended).toEqual({ code: 1, signal: null });
    const { stdout } = program.output();
    expect(stdout).toContain('could not start: the native part of uWebSockets.js cannot be loaded on');
    expect(stdout).toContain('on the page of the relay');
  });
});
