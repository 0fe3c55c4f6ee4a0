import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { EnvReader } from '../services/shared/config/env-reader.ts';
import { readWebhookConfig } from '../services/webhook/config.ts';
import { CHART, HELM, helm, renderChart } from './support/helm.ts';
import { problemsOf } from './support/kubernetes-schema.ts';
import { type Manifest, ofKind, renderOverlay, renderWithComponents, workloadsOf } from './support/manifests.ts';
import { tableRows } from './support/pages.ts';
import { sourcesFile } from './support/sources-file.ts';

const read = (path: string) => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8');
const PRODUCTION = ['--values', join(CHART, 'values-production.yaml')];
const set = (...values: string[]) => values.flatMap((value) => ['--set', value]);
const TOKENS = set(
  'secrets.webhook.WEBHOOK_TOKENS=local-only-token',
  'secrets.chat.WEBHOOK_TOKEN=local-only-token',
  'secrets.stats.STATS_TOKEN=local-only-token',
);

/**
 * Returns objects by kind and name, without what each tool has of its own: kustomize the hash in names, the namespace and its
 * object; Helm the checksum of settings and the policy of its volume.
 */
function comparable(manifests: readonly Manifest[]): Record<string, unknown> {
  const entries = manifests
    .filter(({ kind }) => kind !== 'Namespace')
    .map((manifest) => {
      const text = JSON.stringify(manifest, (key, value) => {
        if (['namespace', 'checksum/settings', 'helm.sh/resource-policy'].includes(key)) return undefined;
        if (key === 'securityContext' && Object.keys(value).length === 0) return undefined;
        if (key === 'annotations' && Object.keys(value).every((name) => /^(checksum|helm\.sh)\//.test(name)))
          return undefined;
        return value;
      });
      const object = JSON.parse(text.replaceAll(/"(chat|outbox|redis|relay|stats|webhook)-[a-z0-9]{10}"/g, '"$1"'));
      return [`${object.kind} ${object.metadata.name}`, object] as const;
    });
  return Object.fromEntries(entries.sort(([a], [b]) => a.localeCompare(b)));
}

/** Names the registry of the image of components, as an overlay of one's own does. */
function withImage(manifests: readonly Manifest[]): Manifest[] {
  return JSON.parse(JSON.stringify(manifests).replaceAll('"heliograph:', '"registry.example.org/heliograph:'));
}

describe.skipIf(HELM === undefined)('the Helm chart', () => {
  it.each<[string, readonly Manifest[], readonly string[]]>([
    ['overlays/local, with its tokens', renderOverlay('local'), TOKENS],
    ['overlays/production', renderOverlay('production'), PRODUCTION],
    [
      'overlays/production-operator',
      renderOverlay('production-operator'),
      [...PRODUCTION, ...set('prometheusOperator.enabled=true')],
    ],
    [
      'production with the Gateway API',
      renderWithComponents('production', ['gateway']),
      [...PRODUCTION, ...set('gateway.enabled=true', 'gateway.className=traefik', 'gateway.namespace=traefik')],
    ],
    [
      'production with KEDA and sources',
      renderWithComponents('production', ['keda', 'webhook-sources']),
      [...PRODUCTION, ...set('relay.autoscaling.keda.enabled=true', 'webhook.sources=true')],
    ],
    [
      'production with an outbox',
      withImage(renderWithComponents('production', ['outbox'])),
      [...PRODUCTION, ...set('outbox.enabled=true')],
    ],
    [
      'production with other optional components',
      renderWithComponents('production', ['host-network-ingress', 'openshift', 'otlp']),
      [
        ...PRODUCTION,
        ...set(
          'networkPolicy.ingressCidrs={192.0.2.0/24}',
          'networkPolicy.otlpNamespace=observability',
          'openshift=true',
        ),
      ],
    ],
  ])('renders the objects of %s', (_, manifests, args) => {
    const expected = comparable(manifests);
    expect(Object.keys(expected).length).toBeGreaterThan(20);
    expect(comparable(renderChart(...args))).toEqual(expected);
  });

  it('has the version of the package, and can be packaged for a registry', () => {
    const { version } = JSON.parse(read('package.json'));
    expect(parse(read('deploy/helm/heliograph/Chart.yaml'))).toMatchObject({ version, appVersion: version });
    const folder = mkdtempSync(join(tmpdir(), 'heliograph-chart-'));
    try {
      helm('lint', '--strict', CHART, ...set('hosts.push=push.example.org'));
      helm('package', CHART, '--destination', folder);
      const packaged = helm(
        'template',
        join(folder, `heliograph-${version}.tgz`),
        ...set('prometheusOperator.enabled=true'),
      );
      // The alerts and the dashboard are links in the repository, and files in the package.
      expect(packaged).toContain('HeliographNoRelay');
      expect(packaged).toContain('grafana_dashboard');
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('gives the webhook and the chat the same random token without one of yours', () => {
    const tokens = () =>
      ofKind(renderChart(), 'Secret')
        .filter(({ metadata }) => metadata.name !== 'redis')
        .flatMap(({ data }) => Object.values<string>(data).map((text) => Buffer.from(text, 'base64').toString()));
    const [one, two] = [tokens(), tokens()];
    expect(one).toEqual([expect.stringMatching(/^[A-Za-z0-9]{32}$/), one[0]]);
    expect(two).not.toEqual(one);
  });

  it('gives the webhook the sources of the values as its file, and rolls out changed ones', () => {
    const source = (secret: string) =>
      `secrets.sources=${JSON.stringify({ github: { verify: 'github', secrets: [secret], topic: 'repo/{repository.full_name}' } })}`;
    const rendered = (secret: string) =>
      renderChart(...TOKENS, ...set('webhook.sources=true'), '--set-json', source(secret));
    const manifests = rendered('a-secret-of-the-tests');
    expect(manifests.flatMap(problemsOf)).toEqual([]);
    const secret = ofKind(manifests, 'Secret').find(({ metadata }) => metadata.name === 'sources');
    const file = sourcesFile(Buffer.from(secret?.data['sources.json'] ?? '', 'base64').toString());
    const reader = new EnvReader({ WEBHOOK_SOURCES: file, WEBHOOK_TOKENS: 'a-token-of-the-tests' });
    expect(readWebhookConfig(reader).sources.size).toBe(1);
    reader.finish();
    const checksums = (objects: readonly Manifest[]) =>
      workloadsOf(objects).map(({ metadata, spec }) => [
        metadata.name,
        spec.template.metadata.annotations?.['checksum/settings'],
      ]);
    const before = checksums(manifests);
    const changed = checksums(rendered('another-secret-of-the-tests')).filter(([role, sum]) =>
      before.some(([other, own]) => role === other && sum !== own),
    );
    expect(changed.map(([role]) => role)).toEqual(['webhook']);
  });

  it('gives an outbox the database of its Secret, and by default the random token', () => {
    const database = 'secrets.outbox.DATABASE_URL=postgres://user:password@db.example.org/shop';
    const secretOf = (...args: string[]) =>
      ofKind(renderChart(...set('outbox.enabled=true', database), ...args), 'Secret').find(
        ({ metadata }) => metadata.name === 'outbox',
      )?.data;
    const decoded = (text: string) => Buffer.from(text, 'base64').toString();
    const data = secretOf();
    expect(decoded(data.DATABASE_URL)).toBe('postgres://user:password@db.example.org/shop');
    expect(decoded(data.WEBHOOK_TOKEN)).toMatch(/^[A-Za-z0-9]{32}$/);
    expect(Object.keys(secretOf(...TOKENS, ...set('secrets.outbox.WEBHOOK_SECRET=whsec_x')))).toEqual([
      'DATABASE_URL',
      'WEBHOOK_SECRET',
    ]);
    expect(ofKind(renderChart(), 'Secret').map(({ metadata }) => metadata.name)).not.toContain('outbox');
  });

  it('leaves the chat out, with its host, credential and settings', () => {
    const host = set(
      'ingress.enabled=true',
      'ingress.namespace=ingress',
      'hosts.push=push.example.org',
      'chat.enabled=false',
    );
    const manifests = renderChart(...host);
    expect(manifests.filter(({ metadata }) => metadata.name === 'chat')).toEqual([]);
    const [ingress] = ofKind(manifests, 'Ingress') as [Manifest];
    expect(ingress.spec.rules.map(({ host }: Manifest) => host)).toEqual(['push.example.org']);
    const relay = ofKind(manifests, 'ConfigMap').find(({ metadata }) => metadata.name === 'relay');
    expect(relay?.data).not.toHaveProperty('ALLOWED_ORIGINS');
  });

  it('places pods as the values say, and rolls out changed settings', () => {
    const pods = (...args: string[]) => workloadsOf(renderChart(...TOKENS, ...args)).map(({ spec }) => spec.template);
    const own = ['relay', 'webhook', 'chat'].flatMap((role) => [
      `${role}.priorityClassName=important`,
      `${role}.nodeSelector.disk=ssd`,
      `${role}.podLabels.team=push`,
      `${role}.podAnnotations.note=a`,
      `${role}.tolerations[0].key=dedicated`,
      `${role}.resizePolicy[0].resourceName=memory`,
      `${role}.resizePolicy[0].restartPolicy=RestartContainer`,
    ]);
    const manifests = renderChart(...TOKENS, ...set(...own));
    expect(manifests.flatMap(problemsOf)).toEqual([]);
    const placed = workloadsOf(manifests).filter(({ metadata }) => metadata.name !== 'redis');
    expect(placed).toHaveLength(3);
    for (const { spec } of placed) {
      expect(spec.template).toMatchObject({
        metadata: { labels: { team: 'push' }, annotations: { note: 'a' } },
        spec: {
          priorityClassName: 'important',
          nodeSelector: { disk: 'ssd' },
          tolerations: [{ key: 'dedicated' }],
          containers: [{ resizePolicy: [{ resourceName: 'memory', restartPolicy: 'RestartContainer' }] }],
        },
      });
    }
    const checksums = (...more: string[]) =>
      pods(...more).map(({ metadata }) => [
        metadata.labels['app.kubernetes.io/component'],
        metadata.annotations?.['checksum/settings'],
      ]);
    const before = checksums();
    const after = checksums(...set('relay.config.PING_INTERVAL=20s'));
    const changed = after.filter(([role, sum]) => before.some(([other, own]) => role === other && sum !== own));
    expect(changed.map(([role]) => role)).toEqual(['relay']);
  });

  it.each([
    ['relay.replicas=0', /at '\/relay\/replicas': minimum/],
    ['relay.replica=3', /additional properties 'replica' not allowed/],
    ['relays=3', /additional properties 'relays' not allowed/],
    ['hosts.push=https://push.example.org', /at '\/hosts\/push'/],
    ['relay.config.max_connections=1', /invalid propertyName 'max_connections'/],
    ['relay.config.MAX_CONNECTIONS=40000', /MAX_CONNECTIONS': got number, want string/],
    ['relay.resources.limits.memory=much', /at '\/relay\/resources\/limits\/memory'/],
    ['chat.resizePolicy[0].resourceName=disk', /at '\/chat\/resizePolicy\/0/],
    ['networkPolicy.redisPorts={70000}', /at '\/networkPolicy\/redisPorts\/0': maximum/],
    ['networkPolicy.ingressCidrs={10.0.0.1}', /at '\/networkPolicy\/ingressCidrs\/0'/],
    ['image.pullPolicy=Sometimes', /at '\/image\/pullPolicy'/],
    ['webhook.sources=true', /secrets\.sources must be set for webhook\.sources, or secrets\.create=false/],
    ['secrets.sources.github.verify=github', /secrets\.sources needs webhook\.sources=true/],
    ['secrets.sources.GitHub.verify=github', /invalid propertyName 'GitHub'/],
    ['relay.autoscaling.keda.enabled=true', /keda\.enabled needs relay\.autoscaling\.enabled=true/],
    ['relay.autoscaling.keda.prometheus=prometheus:9090', /at '\/relay\/autoscaling\/keda\/prometheus'/],
    ['relay.autoscaling.keda.url=a', /additional properties 'url' not allowed/],
    ['openshift=yes', /at '\/openshift': got string, want boolean/],
    ['redis.enabled=false', /secrets\.redis\.REDIS_URL must be set, or redis\.enabled/],
    ['secrets.webhook.WEBHOOK_TOKENS=a-token-of-the-tests', /secrets\.webhook and secrets\.chat must be set together/],
    ['outbox.enabled=true', /secrets\.outbox\.DATABASE_URL must be set for an outbox/],
    [
      'outbox.enabled=true,secrets.outbox.DATABASE_URL=x,secrets.webhook.WEBHOOK_TOKENS=x,secrets.chat.WEBHOOK_TOKEN=x',
      /secrets\.outbox needs WEBHOOK_TOKEN or WEBHOOK_SECRET/,
    ],
    ['networkPolicy.databasePorts={0}', /at '\/networkPolicy\/databasePorts\/0': minimum/],
    ['ingress.enabled=true', /hosts\.\w+ must be set for an Ingress or a Gateway/],
    [
      'ingress.enabled=true,hosts.push=a.test,hosts.chat=b.test',
      /ingress\.namespace must be set, or networkPolicy\.ingressCidrs/,
    ],
    [
      'gateway.enabled=true,gateway.namespace=gateways,hosts.push=a.test,hosts.chat=b.test',
      /gateway\.className or gateway\.parentRefs must be set/,
    ],
  ])('refuses %s with the reason', (value, reason) => {
    expect(() => renderChart('--set', value)).toThrow(reason);
  });
});

describe('the page of the Helm chart', () => {
  it('has every value with its default, and no other', () => {
    const roles = ['relay', 'webhook', 'chat', 'outbox'];
    const documented = tableRows('Value').flatMap(([name = '', text = '']) => {
      const path = name.replaceAll('`', '');
      const paths = path.startsWith('<role>') ? roles.map((role) => path.replace('<role>', role)) : [path];
      return paths.map((one) => [one, text.replaceAll('`', '')] as const);
    });
    const values = parse(read('deploy/helm/heliograph/values.yaml'));
    const lookUp = (path: string) => path.split('.').reduce((value, key) => value?.[key], values);
    for (const [path, text] of documented) {
      const value = lookUp(path);
      expect(value, path).toBeDefined();
      if (text.startsWith('[') && text !== '[]') expect(text, path).toContain('(values.yaml)');
      else expect(asText(value), path).toBe(text);
    }
    const paths = documented.map(([path]) => path);
    const missing = leavesOf(values).filter(
      (leaf) => !paths.some((path) => leaf === path || leaf.startsWith(`${path}.`)),
    );
    expect(missing).toEqual([]);
    expect(new Set(paths).size).toBe(paths.length);
  });
});

/** Writes a value as the page does. */
function asText(value: unknown): string {
  if (Array.isArray(value)) return value.length === 0 ? '[]' : value.join(' ');
  if (typeof value !== 'object' || value === null) return String(value);
  const entries = Object.entries(value);
  return entries.length === 0 ? '{}' : entries.map(([name, one]) => `${name}=${one}`).join(' ');
}

function leavesOf(value: unknown, path = ''): string[] {
  const isBranch =
    typeof value === 'object' && value !== null && !Array.isArray(value) && Object.keys(value).length > 0;
  if (!isBranch) return [path];
  return Object.entries(value).flatMap(([key, one]) => leavesOf(one, path === '' ? key : `${path}.${key}`));
}
