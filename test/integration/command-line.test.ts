import { readFileSync } from 'node:fs';
import { cp, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { type ChildProgram, startProgram } from '../support/child-program.ts';
import { COMMAND_LINE, runCommand, startCommand } from '../support/command-line.ts';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/free-port.ts';
import { randomPrefix } from '../support/random-prefix.ts';
import { runShell } from '../support/run-shell.ts';
import { type ServiceProcess, startService } from '../support/service-process.ts';
import { JWT_SECRET, signToken, WEBHOOK_TOKEN } from '../support/tokens.ts';

let services: ServiceProcess;
let env: Record<string, string>;

beforeAll(async () => {
  const settings = {
    WEBHOOK_TOKENS: WEBHOOK_TOKEN,
    SUBSCRIBE_AUTH: 'optional',
    PRIVATE_TOPICS: 'private/*',
    JWT_SECRET,
  };
  services = await startService('standalone', settings);
  env = {
    RELAY_URL: `http://localhost:${services.ports.relay}`,
    WEBHOOK_URL: `http://localhost:${services.ports.webhook}/webhook`,
    WEBHOOK_TOKEN,
  };
});

afterAll(() => services?.stop());

/** Starts `heliograph listen`, and waits until it is subscribed. */
async function listen(args: readonly string[], more: Record<string, string> = {}): Promise<ChildProgram> {
  const listener = startCommand(['listen', ...args], { env: { ...env, ...more } });
  await eventually(() => expect(listener.output().stderr).toContain('live'));
  return listener;
}

describe('heliograph', () => {
  it('prints its version', async () => {
    const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
    expect(await runCommand(['--version'])).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' });
  });

  it('is what npx runs in a checkout', async () => {
    const root = fileURLToPath(new URL('../..', import.meta.url));
    expect(await runShell(`cd '${root}/test' && npx --offline heliograph --help`)).toContain('Usage: heliograph');
  });

  it('exits with 1 if its output cannot be written', async () => {
    const output = await runShell(
      `"${process.execPath}" "${COMMAND_LINE}" --version 2>&1 >/dev/full || echo "exit $?"`,
    );
    expect(output).toMatch(/^cannot write the output: ENOSPC.*\nexit 1\n$/);
  });

  it('prints help on request to standard output, and without a command to standard error', async () => {
    const asked = await runCommand(['--help']);
    expect(asked).toMatchObject({ code: 0, stderr: '' });
    expect(asked.stdout).toContain('Usage: heliograph');
    expect(await runCommand([])).toEqual({ code: 2, stdout: '', stderr: asked.stdout });
  });

  it.each([
    'start',
    'relay',
    'webhook',
    'chat',
    'outbox',
    'publish',
    'listen',
    'canary',
    'token',
    'doctor',
    'completion',
  ])('prints the help of %s', async (name) => {
    const { code, stdout, stderr } = await runCommand([name, '--help']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toContain(`Usage: heliograph ${name}`);
  });

  it.each([
    [['publsh', 'chat'], "unknown command 'publsh'\n(Did you mean publish?)"],
    [['publish', 'chat', '--dta', '1'], "unknown option '--dta'\n(Did you mean --data?)"],
    [['relay', '--port', '1'], "unknown option '--port'"],
    [['relay', 'now'], "too many arguments for 'relay'"],
    [['publish'], "missing required argument 'topic'"],
    [['publish', 'two words'], 'It must have 1 to 128 bytes'],
    [['publish', 'chat', '--url', 'localhost'], 'It must be a URL that starts with http:// or https://'],
    [['publish', 'chat', '--token', 'short'], 'It must have at least 16 characters'],
    [['publish', 'chat', '--wait', '5'], 'It must be a duration such as'],
    [['publish', 'chat', '--wait', '31s'], 'It must be from 0ms to 30000ms'],
    [['publish', 'chat'], 'WEBHOOK_SECRET must be one of the secrets of the webhook'],
    [['publish', 'chat', '--token', WEBHOOK_TOKEN, '--data', '{'], '--data must be JSON'],
    [['listen', 'chat', '--count', '0'], 'It must be a whole number from 1 on'],
    [['canary', '--interval', '10ms'], 'It must be from 100ms to 3600000ms'],
    [['canary', '--timeout', 'soon'], 'It must be a duration such as'],
    [['canary', '--transport', 'tcp'], 'Allowed choices are websocket, sse, longpoll'],
    [['canary', '--topic', 'two words'], 'It must have 1 to 128 bytes'],
    [['canary', '--relay', 'relay:8080'], 'It must be a URL that starts with http:// or https://'],
    [['canary', '--port', '70000'], 'It must be a port from 0 to 65535'],
    [['canary'], 'WEBHOOK_SECRET must be one of the secrets of the webhook'],
    [['token'], "required option '--topics <topics>' not specified"],
    [['token', '--topics', 'a b'], 'It must hold topics, or prefixes followed by *'],
    [['token', '--topics', 'news'], 'JWT_SECRET must be set as for the relay'],
    [['loadtest', '--client', '5'], "Unknown option '--client'"],
    [['simulate', '--seed', 'x'], '--seed must be an integer'],
    [['bench', '--clients', '5'], "Unknown option '--clients'"],
    [['doctor', 'relais'], 'Allowed choices are start, relay, webhook, chat, outbox'],
  ])('exits with 2 and names the problem of %j', async (args, problem) => {
    const { code, stdout, stderr } = await runCommand(args, { env: { PATH: process.env.PATH ?? '' } });
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain(problem);
    expect(stderr).not.toContain('    at ');
  });

  it('fails if the file of --env-file cannot be read', async () => {
    const { code, stdout, stderr } = await runCommand(['doctor', '--env-file', '/no/such/file']);
    expect(stdout).toBe('');
    expect(stderr).toContain('/no/such/file');
    expect([2, 9]).toContain(code); // Node 20 takes the option for its own, wherever it is, and exits with 9
  });

  it('names invalid variables of the environment', async () => {
    const { code, stderr } = await runCommand(['listen', 'chat'], { env: { RELAY_URL: 'localhost' } });
    expect(code).toBe(2);
    expect(stderr).toContain('RELAY_URL must be a URL that starts with http:// or https://');
  });

  it('reads variables from a file, which the environment overrides', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'heliograph-env-'));
    const file = join(dir, 'settings.env');
    await writeFile(file, `WEBHOOK_URL=http://localhost:1/webhook\nWEBHOOK_TOKEN=${WEBHOOK_TOKEN}\n`);
    const { WEBHOOK_URL } = env as { WEBHOOK_URL: string };
    const published = await runCommand(['publish', 'env-file', '--env-file', file], { env: { WEBHOOK_URL } });
    await rm(dir, { recursive: true });
    expect(published).toMatchObject({ code: 0, stderr: '' });
  });

  it.each(['relay', 'webhook', 'chat', 'standalone'] as const)('runs the service %s', async (role) => {
    const settings = {
      REDIS_URL: inject('redisUrl'),
      HELIOGRAPH_PREFIX: randomPrefix(),
      ...(role === 'chat' ? { WEBHOOK_TOKEN } : { WEBHOOK_TOKENS: WEBHOOK_TOKEN }),
    };
    const program = [COMMAND_LINE, role === 'standalone' ? 'start' : role];
    await using service = await startService(role, settings, { program });
    expect(await service.stop()).toBe(0);
  });

  it('runs an outbox', async () => {
    const settings = { DATABASE_URL: `postgres://localhost:${await freePort()}/none`, WEBHOOK_TOKEN };
    await using service = await startService('outbox', settings, { program: [COMMAND_LINE, 'outbox'], until: 'livez' });
    expect(await service.stop()).toBe(0);
  });
});

describe('heliograph publish', () => {
  it('prints the version of each topic, as lines or as JSON', async () => {
    const lines = await runCommand(['publish', 'one', 'two'], { env });
    expect(lines).toMatchObject({ code: 0, stderr: '' });
    expect(lines.stdout).toMatch(/^one \d{16}\ntwo \d{16}\n$/);
    const json = await runCommand(['publish', 'one', '--json', '--wait', '10s'], { env });
    expect(JSON.parse(json.stdout)).toMatchObject([{ topic: 'one', previous: Number(lines.stdout.split(/\s/)[1]) }]);
  });

  it('publishes data from an option or from standard input', async () => {
    const listener = await listen(['data', '--count', '2']);
    expect((await runCommand(['publish', 'data', '--data', '{"n":1}'], { env })).code).toBe(0);
    await eventually(() => expect(listener.output().stdout).toMatch(/^data \d{16} {"n":1}\n$/));
    expect((await runCommand(['publish', 'data', '--data', '-'], { env, input: '[2, 3]\n' })).code).toBe(0);
    expect((await listener.ended).code).toBe(0);
    expect(listener.output().stdout).toMatch(/\ndata \d{16} \[2,3]\n$/);
  });

  it('prefers its options to the environment, also to a secret', async () => {
    const { WEBHOOK_URL = '' } = env;
    const other = { WEBHOOK_URL: 'http://localhost:1/webhook', WEBHOOK_SECRET: 'whsec_none' };
    const args = ['publish', 'one', '--url', WEBHOOK_URL, '--token', WEBHOOK_TOKEN];
    expect(await runCommand(args, { env: other })).toMatchObject({ code: 0, stderr: '' });
  });

  it('refuses an address that names a topic', async () => {
    const refused = await runCommand(['publish', 'one', '--url', `${env.WEBHOOK_URL}/two`], { env });
    expect(refused).toMatchObject({ code: 2, stdout: '' });
    expect(refused.stderr).toContain('WEBHOOK_URL must not name a topic: it ends with /webhook');
  });

  it('exits with 1 and the reason if the webhook refuses the call or cannot be reached', async () => {
    const refused = await runCommand(['publish', 'one', '--token', 'another-token-of-the-tests'], { env });
    expect(refused).toMatchObject({ code: 1, stdout: '' });
    expect(refused.stderr).toContain('the webhook answered 401 unauthorized: ');
    const misplaced = await runCommand(['publish', 'one', '--url', `${env.RELAY_URL}/webhook`], { env });
    expect(misplaced.stderr).toContain('404 not_found: Webhooks serve this path, at another port or host than relays');
    const url = `http://127.0.0.1:${await freePort()}/webhook`;
    const unreachable = await runCommand(['publish', 'one', '--url', url, '--timeout', '3s'], { env });
    expect(unreachable).toMatchObject({ code: 1, stdout: '' });
    expect(unreachable.stderr).toContain(
      `not published at ${url}: the webhook cannot be reached: connect ECONNREFUSED`,
    );
  });
});

describe('heliograph listen', () => {
  it('prints updates as JSON until SIGINT', async () => {
    const listener = await listen(['news', 'sport', '--json']);
    await runCommand(['publish', 'sport', '--data', '1'], { env });
    await eventually(() => expect(listener.output().stdout).toContain('\n'));
    listener.process.kill('SIGINT');
    expect((await listener.ended).code).toBe(0);
    expect(JSON.parse(listener.output().stdout)).toMatchObject({
      topic: 'sport',
      version: expect.any(Number),
      data: 1,
    });
  });

  it('stops once its output has no reader', async () => {
    const listener = await listen(['pipe']);
    listener.process.stdout?.destroy();
    await runCommand(['publish', 'pipe'], { env });
    await runCommand(['publish', 'pipe'], { env });
    expect((await listener.ended).code).toBe(0);
  });

  it('subscribes to private topics with a token', async () => {
    const token = await signToken({ topics: ['private/*'] });
    const listener = await listen(['private/one', '--count', '1'], { RELAY_TOKEN: token });
    await runCommand(['publish', 'private/one'], { env });
    expect((await listener.ended).code).toBe(0);
  });

  it.each([
    ['no token', [], 'unauthorized private/one'],
    ['an invalid one', ['--token', 'none'], 'unauthorized'],
  ])('exits with 1 if the relay permits none of the topics, with %s', async (_, args, code) => {
    const refused = await runCommand(['listen', 'private/one', ...args], { env });
    expect(refused).toMatchObject({ code: 1, stdout: '' });
    expect(refused.stderr).toContain(code);
    expect(refused.stderr).toContain('permits none of these topics');
  });

  it('exits with 1 at the address of a webhook', async () => {
    const url = new URL(env.WEBHOOK_URL ?? '').origin;
    const misplaced = await runCommand(['listen', 'one', '--url', url], { env });
    expect(misplaced.code).toBe(1);
    expect(misplaced.stderr).toContain(`${url} is not the address of a relay`);
  });
});

describe('heliograph token', () => {
  it('prints a token that the relay accepts for these topics only', async () => {
    const token = await runCommand(['token', '--topics', 'private/one, private/more/*'], { env: { JWT_SECRET } });
    expect(token).toMatchObject({ code: 0, stderr: '' });
    const RELAY_TOKEN = token.stdout.trim();
    const listener = await listen(['private/more/1', '--count', '1'], { RELAY_TOKEN });
    await runCommand(['publish', 'private/more/1'], { env });
    expect((await listener.ended).code).toBe(0);
    const refused = await runCommand(['listen', 'private/two'], { env: { ...env, RELAY_TOKEN } });
    expect(refused.stderr).toContain('topic_forbidden private/two');
  });

  it('has the audience, the issuer and the expiry that the relay requires', async () => {
    const settings = { JWT_SECRET, JWT_AUDIENCE: 'relays', JWT_ISSUER: 'tests', JWT_MAX_AGE: '10m' };
    const args = ['token', '--topics', 'news', '--expires'];
    const { stdout } = await runCommand([...args, '5m'], { env: settings });
    const claims = JSON.parse(Buffer.from(stdout.split('.')[1] ?? '', 'base64url').toString());
    expect(claims).toMatchObject({ aud: 'relays', iss: 'tests', topics: ['news'] });
    expect(claims.exp - claims.iat).toBe(300);
    const tooLong = await runCommand([...args, '11m'], { env: settings });
    expect(tooLong.code).toBe(2);
    expect(tooLong.stderr).toContain('--expires must be at most JWT_MAX_AGE, 600000ms');
  });
});

describe('heliograph loadtest, simulate and bench', () => {
  const { PATH = '' } = process.env;

  it('pass their options on', async () => {
    const plan = await runCommand(['loadtest', '--plan', '--clients', '20'], { env: { PATH } });
    expect(plan.code).toBe(0);
    expect(plan.stderr).toMatch(/\b20 clients/);
    const seed = await runCommand(['simulate', '--seed', '7', '--steps', '5'], { env: { PATH } });
    expect(seed).toMatchObject({ code: 0 });
    expect(seed.stdout).toContain('7');
    const bench = await runCommand(['bench', '--quick', '--only', 'none', '--only', 'no'], { env: { PATH } });
    expect(bench).toMatchObject({ code: 2, stderr: expect.stringMatching(/^unknown bench: none, no; available: /) });
  });

  it.each(['loadtest', 'simulate', 'bench'])('print the help of %s', async (name) => {
    const { code, stdout } = await runCommand([name, '--help'], { env: { PATH } });
    expect(code).toBe(0);
    expect(stdout).toMatch(new RegExp(`^ +heliograph ${name} --|^heliograph ${name} --`, 'm'));
    expect(stdout).not.toContain('npm run');
  });

  it.each(['simulate', 'bench'])('say that %s needs a checkout', async (name) => {
    const root = fileURLToPath(new URL('../..', import.meta.url));
    const dir = await mkdtemp(join(tmpdir(), 'heliograph-installed-'));
    // An installation: the build, and nothing of the repository beside it.
    await cp(`${root}dist`, join(dir, 'dist'), { recursive: true });
    await cp(`${root}package.json`, join(dir, 'package.json'));
    await symlink(`${root}node_modules`, join(dir, 'node_modules'));
    const installed = startProgram({ file: join(dir, 'dist/cli/main.js'), args: [name] });
    const { code } = await installed.ended;
    await rm(dir, { recursive: true });
    expect(code).toBe(1);
    expect(installed.output().stderr).toContain(`heliograph ${name} works in a checkout of the repository only`);
  });
});
