import { createRequire } from 'node:module';
import { type DestinationStream, type Logger, pino } from 'pino';
import type { LogLevel } from './config/process-config.ts';

export type { Logger };

const SECRET_FIELDS = [
  'authorization',
  'cookie',
  '["set-cookie"]',
  'password',
  'secret',
  'secrets',
  'token',
  'tokens',
  '["webhook-signature"]',
];

/** Fields whose values are never logged: those above, at the top level and one or two levels below. */
const REDACTED_PATHS = ['', '*', '*.*'].flatMap((parent) =>
  SECRET_FIELDS.map((field) => (field.startsWith('[') || parent === '' ? parent + field : `${parent}.${field}`)),
);

/**
 * Creates a logger that writes to standard output synchronously, so that the last line before an exit is not lost.
 * Credentials in fields are redacted; messages are not, so never put credentials into them.
 *
 * @param options.format JSON lines by default; `text` for people, in colour where the terminal has it
 */
export function createLogger(options: {
  name: string;
  level: LogLevel;
  format?: 'json' | 'text';
  destination?: DestinationStream;
}): Logger {
  const { name, level, format = 'json', destination } = options;
  const settings = { name, level, redact: { paths: REDACTED_PATHS, censor: '[redacted]' } };
  const colorize = destination === undefined && process.stdout.isTTY && process.stdout.hasColors();
  const output = destination ?? standardOutput();
  return pino(settings, format === 'text' ? readable(output, { colorize }) : output);
}

/** Turns JSON lines into lines for people. Loads its library only here, because most processes do without. */
function readable(output: DestinationStream, { colorize }: { colorize: boolean }): DestinationStream {
  const { prettyFactory } = createRequire(import.meta.url)('pino-pretty') as typeof import('pino-pretty');
  const render = prettyFactory({ colorize, singleLine: true, translateTime: 'SYS:HH:MM:ss.l', ignore: 'pid,hostname' });
  return { write: (line) => output.write(render(line)) };
}

/** If the reader of standard output has gone, the process continues without a log. */
function standardOutput(): DestinationStream {
  const stream = pino.destination({ dest: 1, sync: true });
  // Writes are synchronous anyway, and the flush of pino after a fatal line would never return once the reader has gone.
  stream.flushSync = () => {};
  stream.on('error', () => {
    stream.write = () => true;
  });
  return stream;
}
