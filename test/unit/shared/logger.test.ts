import { describe, expect, it } from 'vitest';
import { createLogger } from '../../../services/shared/logger.ts';

function loggedBy(act: (logger: ReturnType<typeof createLogger>) => void, format?: 'text'): string {
  const lines: string[] = [];
  const destination = { write: (line: string) => void lines.push(line) };
  act(createLogger({ name: 'test', level: 'info', ...(format && { format }), destination }));
  return lines.join('');
}

describe('createLogger', () => {
  it('writes one line of JSON with the message and the fields', () => {
    const line = loggedBy((logger) => logger.info({ port: 8090 }, 'the webhook listens'));
    expect(line).toMatch(/^[^\n]+\n$/);
    expect(JSON.parse(line)).toMatchObject({ level: 30, name: 'test', port: 8090, msg: 'the webhook listens' });
  });

  it('writes one line for people, if asked to, also redacted and without control characters of a caller', () => {
    const text = loggedBy((logger) => logger.warn({ port: 8090, token: 'hunter2' }, 'the webhook listens'), 'text');
    expect(text).toMatch(
      /^\[\d\d:\d\d:\d\d\.\d{3}\] WARN \(test\): the webhook listens \{"port":8090,"token":"\[redacted\]"\}\n$/,
    );
    const hostile = loggedBy((logger) => logger.info({ agent: '\x1b[31m\nx' }, 'hello'), 'text');
    expect(hostile).not.toContain('\x1b');
    expect(hostile.split('\n')).toHaveLength(2);
  });

  it('writes nothing below its level', () => {
    expect(loggedBy((logger) => logger.debug('not now'))).toBe('');
  });

  it.each([
    { authorization: 'hunter2' },
    { headers: { authorization: 'hunter2', cookie: 'hunter2', 'set-cookie': ['hunter2'] } },
    { req: { headers: { authorization: 'hunter2', cookie: 'hunter2', 'webhook-signature': 'v1,hunter2' } } },
    { token: 'hunter2', tokens: ['hunter2'], secret: 'hunter2', secrets: ['hunter2'], password: 'hunter2' },
    { config: { tokens: ['hunter2'], redis: { password: 'hunter2' } } },
  ])('redacts credentials: %j', (fields) => {
    const line = loggedBy((logger) => logger.info(fields, 'hello'));
    expect(line).not.toContain('hunter2');
    expect(line).toContain('[redacted]');
  });
});
