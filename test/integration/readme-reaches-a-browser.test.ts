import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { afterEach, describe, expect, inject, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { type Manifest, ofKind, type Role, renderOverlay, workloadsOf } from '../support/manifests.ts';
import { environmentOf } from '../support/pod-environment.ts';
import { randomPrefix } from '../support/random-prefix.ts';
import { readmeExample } from '../support/readme-example.ts';
import { type ServiceProcess, startService } from '../support/service-process.ts';
import { WsClient } from '../support/ws-client.ts';

const ROOT = new URL('../../', import.meta.url);
const commands = readmeExample('sh', 'kind create cluster').trim().split('\n');
const manifests = renderOverlay('local');
const services: ServiceProcess[] = [];

afterEach(async () => {
  await Promise.all(services.splice(0).map((service) => service.stop('SIGKILL')));
});

describe('the five commands of deploy/README.md', () => {
  it('are five, and use existing images, overlays, services and ports', () => {
    const { version } = JSON.parse(readFileSync(new URL('package.json', ROOT), 'utf8'));
    expect(commands).toHaveLength(5);
    const [, build, apply, forward, publish] = commands;
    expect(build?.match(/heliograph:\S+/g)).toEqual([`heliograph:${version}`, `heliograph:${version}`]);
    expect(existsSync(new URL(/-f (\S+)/.exec(build ?? '')?.[1] ?? '', ROOT))).toBe(true);
    expect(apply).toContain('kubectl apply -k k8s/overlays/local ');
    const ports = ofKind(manifests, 'Service').map(({ metadata, spec }) => `${metadata.name}:${spec.ports[0].port}`);
    const forwarded = [...(forward ?? '').matchAll(/\w+:\d+/g)].map(([pair]) => pair);
    expect(forwarded).toHaveLength(3);
    expect(ports).toEqual(expect.arrayContaining(forwarded));
    expect(forwarded).toContain(`chat:${/localhost:(\d+)/.exec(publish ?? '')?.[1]}`);
    const namespaces = [apply, forward].map((command) => /kubectl -n (\S+)/.exec(command ?? '')?.[1]);
    expect(namespaces).toEqual(
      ofKind(manifests, 'Namespace').flatMap(({ metadata }) => [metadata.name, metadata.name]),
    );
  });

  it('end with a curl that reaches a client of the chat, in the environment of the local overlay', async () => {
    const shared = { REDIS_URL: inject('redisUrl'), HELIOGRAPH_PREFIX: randomPrefix(), NODE_ENV: 'production' };
    const start = async (role: Role, own: Record<string, string> = {}) => {
      const workload = workloadsOf(manifests).find(({ metadata }) => metadata.name === role) as Manifest;
      const { given } = environmentOf(workload, manifests);
      const service = await startService(role, { ...given, ...shared, CHAT_DB: ':memory:', ...own });
      services.push(service);
      return service;
    };
    const [relay, webhook] = await Promise.all([start('relay'), start('webhook')]);
    const chat = await start('chat', { WEBHOOK_URL: `http://127.0.0.1:${webhook.port}/webhook` });
    // Connects as the chat's page does, from the chat's origin.
    const browser = await WsClient.open(`ws://localhost:${relay.port}/ws?topic=chat`, {
      origin: 'http://localhost:8000',
    });
    await eventually(() => expect(browser.ofType('subscribed')).toHaveLength(1));
    const command = commands.at(-1)?.replace('localhost:8000', `localhost:${chat.port}`) ?? '';
    const { stdout } = await promisify(execFile)('sh', ['-c', command]);
    expect(JSON.parse(stdout)).toMatchObject({ comment: { name: 'Ada', text: 'Look now' } });
    await eventually(() => expect(browser.ofType('update')).toMatchObject([{ topic: 'chat' }]));
    browser.terminate();
  });
});
