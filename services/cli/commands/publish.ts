import { text as readAll } from 'node:stream/consumers';
import { type Command, Option } from 'commander';
import { PublishError, Publisher } from '../../client/publisher.ts';
import type { Topic } from '../../shared/update/topic.ts';
import { readerWith, readWebhook } from '../addresses.ts';
import { durationArgument, parseTokenArgument, parseTopicArgument, parseUrlArgument } from '../arguments.ts';
import type { CommandContext } from '../command-context.ts';
import { CommandError } from '../command-error.ts';

interface PublishOptions {
  readonly url?: string;
  readonly token?: string;
  readonly data?: string;
  readonly wait: number;
  readonly timeout: number;
  readonly json?: true;
}

/** Adds `publish`, which publishes an update of each topic and prints the versions. */
export function addPublishCommand(program: Command, context: CommandContext): void {
  program
    .command('publish')
    .description('publish an update of each topic, and print its version')
    .argument('<topic...>', 'topics, at most 100', parseTopicArgument)
    .option('--data <json>', 'a full snapshot of the topic as JSON; - reads it from standard input')
    .option('--url <url>', 'address of the webhook (WEBHOOK_URL, or http://localhost:8090/webhook)', parseUrlArgument)
    .option(
      '--token <token>',
      'bearer token (WEBHOOK_TOKEN; or the secret WEBHOOK_SECRET). Other users of this machine can read options',
      parseTokenArgument,
    )
    .addOption(
      new Option('--wait <time>', 'wait until every relay has delivered it')
        .argParser(durationArgument(0, 30_000))
        .default(0, 'no wait'),
    )
    .addOption(
      new Option('--timeout <time>', 'how long to retry')
        .argParser(durationArgument(100, 3_600_000))
        .default(10_000, '10s'),
    )
    .option('--json', 'print the updates as JSON')
    .action((topics: readonly Topic[], options: PublishOptions) => publish(topics, options, context));
}

async function publish(topics: readonly Topic[], options: PublishOptions, context: CommandContext): Promise<void> {
  const { env, stdin, stdout, stderr } = context;
  const { wait: deliveredWithinMs, timeout: timeoutMs } = options;
  const reader = readerWith(env, { url: options.url, token: options.token });
  const { webhookUrl, credential } = readWebhook(reader);
  reader.finish();
  const data = options.data === '-' ? await readAll(stdin) : options.data;
  const body = data === undefined ? {} : { data: parseData(data) };
  const retrying = (error: PublishError) => void stderr.write(`${explain(error)}; retrying\n`);
  const publisher = new Publisher({ url: webhookUrl, ...credential, timeoutMs, retrying });
  try {
    const updates = await publisher.publish(topics, body, { deliveredWithinMs });
    const lines = options.json ? [JSON.stringify(updates)] : updates.map(({ topic, version }) => `${topic} ${version}`);
    stdout.write(`${lines.join('\n')}\n`);
  } catch (error) {
    if (!(error instanceof PublishError)) throw error;
    throw new CommandError(`not published at ${webhookUrl}: ${explain(error)}`);
  }
}

function parseData(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new CommandError(`--data must be JSON: ${(error as Error).message}`, 2);
  }
}

/** Adds what the webhook says about the call, or the reason of the connection, which `fetch` hides below its own error. */
function explain(error: PublishError): string {
  const { cause } = error.cause instanceof Error ? error.cause : {};
  const { message = '', code = '' } = (cause ?? {}) as NodeJS.ErrnoException;
  return [error.message, error.detail || message || code].filter(Boolean).join(': ');
}
