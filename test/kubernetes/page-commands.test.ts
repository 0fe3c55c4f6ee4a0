import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { SseClient } from '../support/sse-client.ts';
import { deleteNamespace } from './instance.ts';
import { Shell } from './shell.ts';

const PAGE = readFileSync(new URL('../../deploy/README.md', import.meta.url), 'utf8');
const NAMESPACE = 'heliograph'; // as the page has it
const COMMAND_MS = 300_000;

/** Returns the lines of the first shell block under a heading of deploy/README.md. */
function commandsUnder(heading: string): readonly string[] {
  const [, block] = new RegExp(`^### ${heading}\\n.*?^\`\`\`sh\\n(.*?)^\`\`\``, 'ms').exec(PAGE) ?? [];
  if (!block) throw new Error(`deploy/README.md has no commands under ${heading}`);
  return block.trimEnd().split('\n');
}

/** Returns the command of the page, in a line of its own or in a sentence, that starts with these words. */
function command(words: string): string {
  const found = PAGE.replaceAll('\n', ' ')
    .split('`')
    .find((text) => text.startsWith(words));
  if (!found) throw new Error(`deploy/README.md has no command that starts with ${words}`);
  return found;
}

describe('the commands of deploy/README.md, as they stand there', () => {
  const [, build = '', apply = '', forward = '', comment = ''] = commandsUnder(
    'From an empty cluster to a browser in five commands',
  );
  const shell = new Shell();

  beforeAll(async () => {
    await deleteNamespace(NAMESPACE);
  }, COMMAND_MS);

  afterAll(async () => {
    shell[Symbol.dispose]();
    await deleteNamespace(NAMESPACE, { wait: false });
  }, COMMAND_MS);

  it(
    'bring an empty cluster to a browser: a comment reaches a client',
    async () => {
      expect(build).toMatch(/^docker build .* kind load docker-image /); // done before the tests
      await shell.run(apply);
      shell.start(`${forward}; wait`);
      const events = await eventually(() => SseClient.open('http://localhost:8080/events?topic=chat'), 30_000);
      try {
        await eventually(() => expect(events.ofType('subscribed')).toHaveLength(1), 30_000);
        const page = await eventually(() => fetch('http://localhost:8000'), 30_000);
        expect(await page.text()).toContain('<html');
        await shell.run(comment);
        await eventually(() => expect(events.ofType('update')).toHaveLength(1), 30_000);
        expect(await (await fetch('http://localhost:8000/comments')).text()).toContain('Look now');
      } finally {
        events.close();
      }
    },
    COMMAND_MS,
  );

  it(
    'run the load test, whose report ends with its verdicts, as the Job does',
    async () => {
      const report = await shell.run(commandsUnder('Load test').join('\n'));
      // Whether a machine is fast enough for all thresholds is not this test's subject, only that the report says so.
      const verdicts = [...report.matchAll(/^ {2}(ok {2}|FAIL) /gm)].map(([, verdict]) => verdict);
      expect(verdicts.length).toBeGreaterThan(0);
      expect(report.trimEnd().split('\n').at(-1)).toMatch(/^ {2}(All thresholds met|\d+ of \d+ thresholds exceeded)$/);
      const complete = shell.run(command('kubectl -n heliograph wait --for=condition=Complete job/load-test'));
      if (verdicts.includes('FAIL')) await expect(complete).rejects.toThrow('timed out');
      else await complete;
      await shell.run(command('kubectl delete -k k8s/load-test'));
    },
    COMMAND_MS,
  );

  it(
    'roll out an image that was built again under the same tag',
    async () => {
      await shell.run(command('kubectl -n heliograph rollout restart deployment relay webhook chat'));
      await shell.run(command('kubectl -n heliograph rollout status deployment/relay'));
    },
    COMMAND_MS,
  );
});
