import { describe, expect, it } from 'vitest';
import { createLogger } from '../../../services/shared/logger.ts';

function loggedBy(act: (logger: ReturnType<typeof createLogger>) => void): string {
  const lines: string[] = [];
  act(createLogger({ name: 'test', level: 'info', destination: { write: (line) => void lines.push(line) } }));
  return lines.join('');
}

describe('createLogger', () => {
  it('writes one line of JSON with the message and the fields', () => {
    const line = loggedBy((logger) => logger.info({ port: 8090 }, 'the webhook listens'));
    expect(line).toMatch(/^[^\n]+\n$/);
    expect(JSON.parse(line)).toMatchObject({ level: 30, name: 'test', port: 8090, msg: 'the webhook listens' });
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
