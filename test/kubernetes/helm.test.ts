import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CHART, HELM } from '../support/helm.ts';
import { Driver } from './driver.ts';
import { kubectl, testContext } from './kubectl.ts';

const NAMESPACE = 'heliograph-helm';
const CLIENTS = 60;
const STEP_MS = 300_000;

const inNamespace = (...args: string[]) => kubectl(['-n', NAMESPACE, ...args]);

async function helm(command: string, ...args: string[]): Promise<string> {
  const options = ['--kube-context', testContext(), '--namespace', NAMESPACE];
  const { stdout } = await promisify(execFile)(HELM ?? '', [command, 'heliograph', ...args, ...options]);
  return stdout;
}

const wait = ['--wait', '--timeout', '4m'];
const podsOf = async (component: string) =>
  (await inNamespace('get', 'pods', '-l', `app.kubernetes.io/component=${component}`, '-o', 'name')).split('\n');
const variable = (name: string) => inNamespace('exec', 'deployment/relay', '--', 'printenv', name);

describe.skipIf(HELM === undefined)('the Helm chart', () => {
  let driver: Driver | undefined;

  beforeAll(async () => {
    await kubectl(['create', 'namespace', NAMESPACE]);
    await kubectl(['label', 'namespace', NAMESPACE, 'pod-security.kubernetes.io/enforce=restricted']);
  }, STEP_MS);

  afterAll(async () => {
    await driver?.stop();
    await kubectl(['delete', '--wait=false', '--ignore-not-found', 'namespace', NAMESPACE]);
  }, STEP_MS);

  it(
    'installs under the profile "restricted"',
    async () => {
      const notes = await helm('install', CHART, ...wait);
      expect(notes).toContain('The bearer token of the webhook');
      driver = await Driver.start({ namespace: NAMESPACE, clients: CLIENTS });
    },
    STEP_MS,
  );

  it(
    'upgrades and rolls back under connected clients: none is behind, no call fails, and the random token stays',
    async () => {
      const token = ['get', 'secret', 'webhook', '-o', 'jsonpath={.data.WEBHOOK_TOKENS}'];
      const before = await inNamespace(...token);
      for (const [command, args, expected] of [
        ['upgrade', [CHART, '--set', 'relay.config.PING_INTERVAL=20s'], '20s'],
        ['rollback', ['1'], ''],
      ] as const) {
        await driver?.reset();
        const replaced = await podsOf('relay');
        await helm(command, ...args, ...wait);
        await inNamespace('wait', '--for=delete', '--timeout=2m', ...replaced);
        const report = await driver?.untilCurrent(CLIENTS);
        expect(report).toMatchObject({ behind: [], failures: [] });
        expect(await variable('PING_INTERVAL').catch(() => '')).toBe(expected);
        expect(await inNamespace(...token)).toBe(before);
      }
    },
    2 * STEP_MS,
  );

  it(
    'leaves nothing behind when it is uninstalled',
    async () => {
      await driver?.stop();
      await helm('uninstall', ...wait);
      const kinds = 'deployment,service,networkpolicy,poddisruptionbudget,horizontalpodautoscaler';
      // The driver brought policies of its own.
      const left = (await inNamespace('get', kinds, '-o', 'name'))
        .split('\n')
        .filter((name) => !/load-test$/.test(name));
      expect(left.filter((name) => name !== '')).toEqual([]);
    },
    STEP_MS,
  );
});
