import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { extractCommit, hasCommit, OLDER_RELEASE } from '../support/older-build.ts';
import { Driver } from './driver.ts';
import { Instance } from './instance.ts';

const UPGRADE_MS = 400_000;
/** An upgrade does not touch the Redis of an operator: the one of the current manifests serves both releases. */
const REDIS = {
  images: [{ name: 'redis', newName: 'valkey/valkey', newTag: '8.1-alpine' }],
};
/** Nor the Secrets. That of `overlays/local` had a token that is too short for later releases. */
const SECRETS = [
  { name: 'webhook', behavior: 'merge', literals: ['WEBHOOK_TOKENS=token-of-the-operator'] },
  { name: 'chat', behavior: 'merge', literals: ['WEBHOOK_TOKEN=token-of-the-operator'] },
];

const canUpgrade = hasCommit(OLDER_RELEASE.commit) && inject('cluster').olderImage;

describe.skipIf(!canUpgrade)(`an upgrade from ${OLDER_RELEASE.name}`, () => {
  let folder: string;
  let instance: Instance;
  let driver: Driver;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'heliograph-older-'));
    await extractCommit(OLDER_RELEASE.commit, folder, 'k8s deploy');
    instance = await Instance.start({
      namespace: 'heliograph-test-upgrade',
      overlay: join(folder, 'k8s/overlays/local'),
      changes: { ...REDIS, secretGenerator: SECRETS },
    });
    // The clients use the library of the older release too: pages stay open while servers are upgraded.
    driver = await Driver.start({ instance, clients: 100, image: `heliograph:${OLDER_RELEASE.name}` });
  }, UPGRADE_MS);

  afterAll(async () => {
    await driver?.stop();
    await instance?.remove();
    rmSync(folder, { recursive: true });
  }, UPGRADE_MS);

  it(
    'leaves no client behind, and no call fails',
    async () => {
      const replaced = await instance.podsOf('relay');
      const report = await driver.during(async () => {
        await instance.apply(
          'k8s/overlays/local',
          { secretGenerator: SECRETS },
          'app.kubernetes.io/component notin (redis)',
        );
        await instance.rolledOut('relay', 'webhook', 'chat');
        await instance.kubectl('wait', '--for=delete', '--timeout=2m', ...replaced);
      });
      expect(report.behind).toEqual([]);
      expect(report.failures).toEqual([]);
      const images = await instance.kubectl('get', 'pods', '-o', 'jsonpath={.items[*].spec.containers[*].image}');
      const old = images.split(' ').filter((image) => image === `heliograph:${OLDER_RELEASE.name}`);
      expect(old).toHaveLength(1); // the driver
    },
    UPGRADE_MS,
  );
});
