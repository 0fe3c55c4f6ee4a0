import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseSigningSecret, type SigningCredential } from '../../services/webhook/credential.ts';
import { endProcess, spawnBound } from '../support/bound-process.ts';
import { eventually } from '../support/eventually.ts';
import { findProgram } from '../support/find-program.ts';
import { readPages } from '../support/pages.ts';
import { readmeExample } from '../support/readme-example.ts';
import { RecordingBroker } from '../support/recording-broker.ts';
import { runShell } from '../support/run-shell.ts';
import { startService } from '../support/service-process.ts';
import { WEBHOOK_SECRET } from '../support/signed-headers.ts';
import { WEBHOOK_TOKEN } from '../support/tokens.ts';
import { type RunningWebhook, startWebhook } from '../support/webhook-fixture.ts';

const run = promisify(execFile);
describe('the documented call', () => {
  const broker = new RecordingBroker();
  let webhook: RunningWebhook;
  beforeAll(async () => {
    const secrets = [parseSigningSecret(WEBHOOK_SECRET)] as SigningCredential[];
    webhook = await startWebhook({ broker, config: { secrets } });
  });
  afterAll(() => webhook.stop());

  const here = (text: string) => text.replace('http://localhost:8090', webhook.url);
  const env = { ...process.env, WEBHOOK_SECRET };

  it('that signs in Python is accepted', async () => {
    const script = `${here(readmeExample('python', 'hmac.new'))}\nprint(json.dumps(publish("chat")))`;
    const { stdout } = await run(findProgram('python3', 'python3'), ['-c', script], { env });
    expect(JSON.parse(stdout)).toMatchObject({ updates: [{ topic: 'chat' }] });
  });

  it('that signs in a shell is accepted', async () => {
    findProgram('openssl', 'openssl');
    findProgram('curl', 'curl');
    const { stdout } = await run('sh', ['-c', here(readmeExample('sh', 'openssl dgst'))], { env });
    expect(JSON.parse(stdout)).toMatchObject({ updates: [{ topic: 'chat' }] });
  });

  it('with a bearer token is one line of curl', async () => {
    const script = here(readmeExample('sh', '"comments":42')).replace('change-this-token', WEBHOOK_TOKEN);
    const { stdout } = await run('sh', ['-c', script], { env });
    expect(JSON.parse(stdout)).toMatchObject({ updates: [{ topic: 'chat' }] });
  });

  it('that waits for delivery succeeds once all relays have delivered, and otherwise shows which have not', async () => {
    const cwd = mkdtempSync(join(tmpdir(), 'heliograph-readme-'));
    const script = here(readmeExample('sh', 'wait=delivered')).replace('change-this-token', WEBHOOK_TOKEN);
    const runIt = () => run('sh', ['-c', script.replace('timeout=10s', 'timeout=1s')], { env, cwd });
    try {
      broker.relays = ['relay'];
      broker.receipts.onQuery((question) => void broker.receipts.reply(question, 'relay', [undefined]));
      expect(await runIt()).toMatchObject({ stdout: '' });
      broker.relays = ['relay', 'deaf'];
      const failure = await runIt().catch((error: { code: number; stdout: string }) => error);
      expect(failure).toMatchObject({ code: 1, stdout: expect.stringContaining('{"relay":"deaf","state":"silent"}') });
    } finally {
      rmSync(cwd, { recursive: true });
    }
  });
});

describe('the commands of the front page', () => {
  const front = readPages().find(({ path }) => path === 'README.md')?.text ?? '';
  const commands = [...front.matchAll(/^curl(?:.*\\\n)*.*$/gm)].map(([command]) => command);

  it('publish and listen as they stand while `npm start` runs', async () => {
    expect(front.match(/^WEBHOOK_TOKENS=.* npm start$/m)).toBeNull(); // a second one would find its ports in use
    const [, token = ''] = /`WEBHOOK_TOKENS=(\S+) npm start`/.exec(front) ?? [];
    await using service = await startService('standalone', { WEBHOOK_TOKENS: token });
    const { relay, webhook } = service.ports;
    const [publish = '', publishData = '', listen = '', ...others] = commands
      .map((command) => command.replace('localhost:8080', `localhost:${relay}`))
      .map((command) => command.replace('localhost:8090', `localhost:${webhook}`));
    expect(others).toEqual([]);
    const listener = spawnBound('sh', ['-c', `exec ${listen}`]);
    let heard = '';
    listener.stdout?.on('data', (text) => {
      heard += text;
    });
    try {
      await eventually(() => expect(heard).toContain('event: subscribed'));
      expect(JSON.parse(await runShell(publish))).toMatchObject({ updates: [{ topic: 'chat' }] });
      await eventually(() => expect(heard).toContain('event: update'));
      await runShell(publishData);
      await eventually(() => expect(heard).toContain('{"comments":42}'));
    } finally {
      await endProcess(listener);
    }
  });
});
