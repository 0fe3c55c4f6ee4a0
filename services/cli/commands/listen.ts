import type { Command } from 'commander';
import { WebSocket } from 'ws';
import { Heliograph, type HeliographError, type TopicUpdate } from '../../client/heliograph-client.ts';
import { ERRORS } from '../../shared/errors.ts';
import type { Topic } from '../../shared/update/topic.ts';
import { readerWith, readRelayUrl } from '../addresses.ts';
import { parseCountArgument, parseTopicArgument, parseUrlArgument } from '../arguments.ts';
import type { CommandContext } from '../command-context.ts';
import { CommandError } from '../command-error.ts';

interface ListenOptions {
  readonly url?: string;
  readonly token?: string;
  readonly count?: number;
  readonly json?: true;
}

/** Adds `listen`, which prints updates as they come, one line each. */
export function addListenCommand(program: Command, context: CommandContext): void {
  program
    .command('listen')
    .description('subscribe to topics and print each update on a line, until Ctrl-C')
    .argument('<topic...>', 'topics', parseTopicArgument)
    .option('--url <url>', 'address of a relay (RELAY_URL, or http://localhost:8080)', parseUrlArgument)
    .option('--token <jwt>', 'token for private topics (RELAY_TOKEN). Other users of this machine can read options')
    .option('--count <n>', 'stop after this number of updates', parseCountArgument)
    .option('--json', 'print each update as JSON')
    .action((topics: readonly Topic[], options: ListenOptions) => listen(topics, options, context));
}

/** Resolves after `count` updates or a signal; rejects once no topic is left that the relay permits. */
async function listen(topics: readonly Topic[], options: ListenOptions, context: CommandContext): Promise<void> {
  const { env, stdout, stderr } = context;
  const reader = readerWith(env, { relay: options.url });
  const url = readRelayUrl(reader);
  reader.finish();
  const client = new Heliograph(url, { topics, token: options.token ?? env.RELAY_TOKEN, WebSocket });
  const permitted = new Set<string>(topics);
  let left = options.count ?? Number.POSITIVE_INFINITY;
  try {
    await new Promise<void>((resolve, reject) => {
      client.on('status', (status) => void stderr.write(`${status} ${url}\n`));
      client.on('update', (update) => {
        stdout.write(`${options.json ? JSON.stringify(update) : lineOf(update)}\n`);
        left -= 1;
        if (left === 0) resolve();
      });
      client.on('error', (error) => {
        stderr.write(`${[error.code, error.topic].filter(Boolean).join(' ')}\n`);
        if (!isFinal(error)) return;
        for (const topic of error.topic === undefined ? topics : [error.topic]) permitted.delete(topic);
        const reason = error.code === 'not_found' ? 'is not the address of a relay' : 'permits none of these topics';
        if (permitted.size === 0) reject(new CommandError(`${url} ${reason}`));
      });
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve());
    });
  } finally {
    client.close();
  }
}

function lineOf({ topic, version, data }: TopicUpdate): string {
  return `${topic} ${version}${data === undefined ? '' : ` ${JSON.stringify(data)}`}`;
}

/** Whether the relay would refuse the client again: its token or the topic must change first. */
function isFinal({ code }: HeliographError): boolean {
  const status = Object.hasOwn(ERRORS, code) ? ERRORS[code as keyof typeof ERRORS].status : 0;
  return status >= 400 && status < 500 && status !== 429;
}
