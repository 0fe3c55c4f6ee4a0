import { mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { SHARE_CPU } from './instance.ts';
import { eventuallyInCluster, kubectl } from './kubectl.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

describe('a second instance', () => {
  it('runs in another namespace and under another name, by the lines of deploy/README.md', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'heliograph-second-'));
    const overlay = join(relative(realpathSync(folder), ROOT), 'k8s/overlays/local');
    const page = readFileSync(join(ROOT, 'deploy/README.md'), 'utf8');
    const [, example = ''] = /### Several instances in one cluster\n.*?```yaml\n(.*?)```/s.exec(page) ?? [];
    const text = `${example.replace('k8s/overlays/local', overlay)}patches: ${JSON.stringify([SHARE_CPU])}\n`;
    writeFileSync(join(folder, 'kustomization.yaml'), text);
    const namespace = /^namespace: (\S+)$/m.exec(text)?.[1] ?? '';
    const prefix = /^namePrefix: (\S+)$/m.exec(text)?.[1] ?? '';
    try {
      await kubectl(['apply', '-k', folder]);
      await kubectl(['-n', namespace, 'wait', '--for=condition=Available', '--timeout=3m', 'deployment', '--all']);
      // A comment goes from the chat to the webhook, which answers once Redis has it: their names are all prefixed.
      const post =
        "fetch('http://localhost:8000/comments', { method: 'POST', headers: { 'content-type': 'application/json', origin: 'http://localhost:8000' }, body: JSON.stringify({ name: 'a', text: 'b' }) }).then((r) => console.log(r.status))";
      const exec = (name: string, script: string) =>
        kubectl(['-n', namespace, 'exec', `deployment/${prefix}${name}`, '--', 'node', '-e', script]);
      expect(await exec('chat', post)).toMatch(/^20/);
      const counts =
        "fetch('http://localhost:9103/metrics').then((r) => r.text()).then((t) => console.log(/^chat_webhook_calls_total.*outcome=.ok.* (\\d+)$/m.exec(t)?.[1] ?? 0))";
      await eventuallyInCluster(async () => expect(Number(await exec('chat', counts))).toBeGreaterThan(0), 20_000);
    } finally {
      await kubectl(['delete', '--ignore-not-found', '--wait=false', '-k', folder]);
      rmSync(folder, { recursive: true });
    }
  }, 240_000);
});
