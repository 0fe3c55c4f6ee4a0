import { createChat } from '../../services/chat/chat.ts';
import { type ChatConfig, readChatConfig } from '../../services/chat/config.ts';
import { SYSTEM_CLOCK } from '../../services/shared/clock.ts';
import { EnvReader } from '../../services/shared/config/env-reader.ts';
import { createLogger } from '../../services/shared/logger.ts';
import { createMetricsRegistry, type MetricsRegistry } from '../../services/shared/process/metrics-registry.ts';
import { WEBHOOK_TOKEN } from './tokens.ts';

/** A chat that serves on loopback. */
export interface RunningChat {
  readonly url: string;
  readonly port: number;
  readonly registry: MetricsRegistry;
  /** The lines that were logged. */
  readonly log: readonly string[];
  /** Posts a comment as the script of the page does. */
  post(comment: { name: string; text: string }): Promise<Response>;
  /** Returns the body of `GET /comments`. */
  comments(after?: number): Promise<{ comments: { id: number; name: string; text: string }[]; complete: boolean }>;
  /** Returns the page as HTML. */
  page(): Promise<string>;
  stop(): Promise<void>;
}

/** Starts a chat on a free port, in memory. Without `webhookUrl` its webhook cannot be reached. */
export async function startChat(
  options: { webhookUrl?: string; env?: Record<string, string>; config?: Partial<ChatConfig> } = {},
): Promise<RunningChat> {
  const own = { CHAT_HOST: '127.0.0.1', CHAT_PORT: '0', CHAT_DB: ':memory:', COMMENT_RATE: '0' };
  const env = { ...own, WEBHOOK_TOKEN, ...options.env };
  const log: string[] = [];
  const registry = createMetricsRegistry({ service: 'chat' });
  const chat = createChat({
    config: { ...readChatConfig(new EnvReader(env)), ...options.config },
    defaults: { webhookUrl: options.webhookUrl ?? 'http://127.0.0.1:1/webhook', relayPort: 8080 },
    clock: SYSTEM_CLOCK,
    registry,
    logger: createLogger({ name: 'chat', level: 'info', destination: { write: (line) => void log.push(line) } }),
  });
  const port = await chat.start();
  const url = `http://127.0.0.1:${port}`;
  return {
    url,
    port,
    registry,
    log,
    post: (comment) =>
      fetch(`${url}/comments`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(comment),
      }),
    comments: async (after) => (await fetch(`${url}/comments${after === undefined ? '' : `?after=${after}`}`)).json(),
    page: async () => (await fetch(url)).text(),
    stop: () => chat.stop(),
  };
}
