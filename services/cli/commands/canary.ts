import { type Command, Option } from 'commander';
import type { TransportName } from '../../client/heliograph-client.ts';
import type { Topic } from '../../shared/update/topic.ts';
import { readerWith, readRelayUrl, readWebhook } from '../addresses.ts';
import {
  durationArgument,
  parsePortArgument,
  parseTokenArgument,
  parseTopicArgument,
  parseUrlArgument,
} from '../arguments.ts';
import type { CanaryConfig } from '../canary/canary.ts';
import type { CommandContext } from '../command-context.ts';

interface CanaryOptions {
  readonly url?: string;
  readonly relay?: string;
  readonly token?: string;
  readonly relayToken?: string;
  readonly topic: Topic;
  readonly transport: TransportName;
  readonly interval: number;
  readonly timeout: number;
  readonly port?: number;
}

/** Adds `canary`, which measures from outside how old updates are when a client receives them. */
export function addCanaryCommand(program: Command, context: CommandContext): void {
  program
    .command('canary')
    .description('publish and receive updates of a topic of its own, and export their age as metrics, until Ctrl-C')
    .option('--url <url>', 'address of the webhook (WEBHOOK_URL, or http://localhost:8090/webhook)', parseUrlArgument)
    .option('--relay <url>', 'address of a relay (RELAY_URL, or http://localhost:8080)', parseUrlArgument)
    .option(
      '--token <token>',
      'bearer token of the webhook (WEBHOOK_TOKEN; or the secret WEBHOOK_SECRET). Other users can read options',
      parseTokenArgument,
    )
    .option('--relay-token <jwt>', 'token for the relay if the topic is private (RELAY_TOKEN)')
    .addOption(
      new Option('--topic <topic>', 'the topic, which nothing else should use')
        .argParser((text) => parseTopicArgument(text)[0])
        .default('canary'),
    )
    .addOption(
      new Option('--transport <name>', 'how it is subscribed')
        .choices(['websocket', 'sse', 'longpoll'])
        .default('websocket'),
    )
    .addOption(
      new Option('--interval <time>', 'time between two updates')
        .argParser(durationArgument(100, 3_600_000))
        .default(10_000, '10s'),
    )
    .addOption(
      new Option('--timeout <time>', 'an update that arrives later is a failure')
        .argParser(durationArgument(100, 600_000))
        .default(10_000, '10s'),
    )
    .option('--port <port>', 'port of /metrics, /livez and /readyz (ADMIN_PORT, or 9105)', parsePortArgument)
    .action((options: CanaryOptions) => run(options, context));
}

async function run(options: CanaryOptions, { env }: CommandContext): Promise<void> {
  const config = readConfig(options, env);
  const { runCanary } = await import('../canary/run-canary.ts');
  await runCanary(config, { ...env, ...(options.port !== undefined && { ADMIN_PORT: `${options.port}` }) });
}

function readConfig(options: CanaryOptions, env: CommandContext['env']): CanaryConfig {
  const { topic, transport, interval: intervalMs, timeout: timeoutMs } = options;
  const reader = readerWith(env, options);
  const { webhookUrl, credential } = readWebhook(reader);
  const relayUrl = readRelayUrl(reader);
  reader.finish();
  const relayToken = options.relayToken ?? env.RELAY_TOKEN;
  return { webhookUrl, credential, relayUrl, relayToken, topic, transport, intervalMs, timeoutMs };
}
