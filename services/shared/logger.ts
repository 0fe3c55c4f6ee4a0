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

/** Fields whose values never reach a line: those above at the top, one and two levels down. */
const REDACTED_PATHS = ['', '*', '*.*'].flatMap((parent) =>
  SECRET_FIELDS.map((field) => (field.startsWith('[') || parent === '' ? parent + field : `${parent}.${field}`)),
);

/**
 * Creates a logger that writes JSON lines to standard output, at once, so that the last line before an
 * exit is never lost. Credentials in fields are replaced; do not put them into sentences.
 */
export function createLogger(options: { name: string; level: LogLevel; destination?: DestinationStream }): Logger {
  const { name, level, destination } = options;
  const settings = { name, level, redact: { paths: REDACTED_PATHS, censor: '[redacted]' } };
  return pino(settings, destination ?? standardOutput());
}

/** Where nobody reads it any more, a process goes on without a log rather than not at all. */
function standardOutput(): DestinationStream {
  const stream = pino.destination({ dest: 1, sync: true });
  // Each line is written at once. pino would flush after a fatal one, and never come back where the reader is gone.
  stream.flushSync = () => {};
  stream.on('error', () => {
    stream.write = () => true;
  });
  return stream;
}
