import { type DestinationStream, type Logger, pino } from 'pino';
import type { LogLevel } from '../config/process-config.ts';

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
  return destination === undefined ? pino(settings) : pino(settings, destination);
}
