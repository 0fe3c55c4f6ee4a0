import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CHART, HELM } from '../support/helm.ts';
import { Driver } from './driver.ts';
import { deleteNamespace, Instance } from './instance.ts';
import { kubectl, testContext } from './kubectl.ts';

const NAMESPACE = 'heliograph-test-helm';
const CLIENTS = 60;
const STEP_MS = 300_000;

/** Several instances share small nodes. */
const SHARE_CPU = ['relay', 'webhook', 'chat'].flatMap((role) => ['--set', `${role}.resources.requests.cpu=20m`]);

const instance = new Instance(NAMESPACE);

async function helm(command: string, ...args: string[]): Promise<string> {
  const options = ['--kube-context', testContext(), '--namespace', NAMESPACE];
  const { stdout } = await promisify(execFile)(HELM ?? '', [command, 'heliograph', ...args, ...options]);
  return stdout;
}

const wait = ['--wait', '--timeout', '4m'];
const variable = (name: string) => instance.kubectl('exec', 'deployment/relay', '--', 'printenv', name);

describe.skipIf(HELM === undefined)('the Helm chart', () => {
  let driver: Driver | undefined;

  beforeAll(async () => {
    await deleteNamespace(NAMESPACE);
    await kubectl(['create', 'namespace', NAMESPACE]);
    await kubectl(['label', 'namespace', NAMESPACE, 'pod-security.kubernetes.io/enforce=restricted']);
  }, STEP_MS);

  afterAll(async () => {
    await driver?.stop();
    await instance.remove();
  }, STEP_MS);

  it(
    'installs under the profile "restricted"',
    async () => {
      const notes = await helm('install', CHART, ...SHARE_CPU, ...wait);
      expect(notes).toContain('The bearer token of the webhook');
      driver = await Driver.start({ instance, clients: CLIENTS });
    },
    STEP_MS,
  );

  it(
    'upgrades and rolls back under connected clients: none is behind, no call fails, and the random token stays',
    async () => {
      const token = ['get', 'secret', 'webhook', '-o', 'jsonpath={.data.WEBHOOK_TOKENS}'];
      const before = await instance.kubectl(...token);
      for (const [command, args, expected] of [
        ['upgrade', [CHART, ...SHARE_CPU, '--set', 'relay.config.PING_INTERVAL=20s'], '20s'],
        ['rollback', ['1'], ''],
      ] as const) {
        await driver?.reset();
        const replaced = await instance.podsOf('relay');
        await helm(command, ...args, ...wait);
        await instance.kubectl('wait', '--for=delete', '--timeout=2m', ...replaced);
        const report = await driver?.untilCurrent();
        expect(report).toMatchObject({ behind: [], failures: [] });
        expect(await variable('PING_INTERVAL').catch(() => '')).toBe(expected);
        expect(await instance.kubectl(...token)).toBe(before);
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
      const left = (await instance.kubectl('get', kinds, '-o', 'name'))
        .split('\n')
        .filter((name) => !/load-test$/.test(name));
      expect(left.filter((name) => name !== '')).toEqual([]);
    },
    STEP_MS,
  );
});
