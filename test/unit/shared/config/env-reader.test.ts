import { describe, expect, it } from 'vitest';
import { ConfigError } from '../../../../services/shared/config/config-error.ts';
import { type Environment, EnvReader } from '../../../../services/shared/config/env-reader.ts';

/** Returns the problems that reading this environment causes. */
function problemsOf(env: Environment, read: (reader: EnvReader) => unknown): readonly string[] {
  const reader = new EnvReader(env);
  read(reader);
  try {
    reader.finish();
  } catch (error) {
    if (error instanceof ConfigError) return error.problems.map(({ name, problem }) => `${name} ${problem}`);
    throw error;
  }
  return [];
}

describe('EnvReader', () => {
  it('returns the defaults of unset and empty variables', () => {
    const env = new EnvReader({ A: '', B: '', C: '', D: '', E: '', F: '', G: '', H: '', I: '' });
    expect(env.string('A', 'x')).toBe('x');
    expect(env.optional('B')).toBeUndefined();
    expect(env.integer('C', { default: 7 })).toBe(7);
    expect(env.boolean('D', true)).toBe(true);
    expect(env.durationMs('E', { default: '4s' })).toBe(4000);
    expect(env.bytes('F', { default: '64KiB' })).toBe(65_536);
    expect(env.list('G', ['a', 'b'])).toEqual(['a', 'b']);
    expect(env.oneOf('H', ['one', 'two'], 'two')).toBe('two');
    expect(env.url('I', { default: 'http://localhost:8090' })).toBe('http://localhost:8090');
    expect(() => env.finish()).not.toThrow();
  });

  it('reads each kind of value', () => {
    const env = new EnvReader({
      A: 'text',
      B: 'some',
      C: '-3',
      D: 'false',
      E: '250ms',
      F: '2MiB',
      G: ' a, ,b ,',
      H: 'one',
      I: 'https://example.org/x',
      J: '65535',
    });
    expect(env.string('A', 'x')).toBe('text');
    expect(env.optional('B')).toBe('some');
    expect(env.integer('C', { default: 7, min: -5 })).toBe(-3);
    expect(env.boolean('D', true)).toBe(false);
    expect(env.durationMs('E', { default: '4s' })).toBe(250);
    expect(env.bytes('F', { default: '64KiB' })).toBe(2 * 1024 * 1024);
    expect(env.list('G')).toEqual(['a', 'b']);
    expect(env.oneOf('H', ['one', 'two'], 'two')).toBe('one');
    expect(env.url('I', { default: 'http://localhost' })).toBe('https://example.org/x');
    expect(env.port('J', 1)).toBe(65_535);
    expect(() => env.finish()).not.toThrow();
  });

  it.each([
    ['1h', 3_600_000],
    ['2m', 120_000],
    ['4s', 4000],
    ['500ms', 500],
    ['0', 0],
  ])('reads the duration %s as %i ms', (text, expected) => {
    expect(new EnvReader({ A: text }).durationMs('A', { default: '1s' })).toBe(expected);
  });

  it.each(['4', '4 s', 's', '-4s', '1.5s', '4d', '4S', '4sms', '1e3s', '9999999999999s', '4toString'])(
    'rejects %j as a duration',
    (text) => {
      expect(problemsOf({ A: text }, (env) => env.durationMs('A', { default: '1s' }))).toEqual([
        'A must be a duration such as 500ms, 4s, 2m or 1h',
      ]);
    },
  );

  it('rejects a delay that is too long for a timer', () => {
    expect(problemsOf({ A: '600h' }, (env) => env.durationMs('A', { default: '1s' }))).toEqual([
      'A must be from 0ms to 2147483647ms',
    ]);
  });

  it.each(['1KB', '64', '1kib', '1 KiB', '-1B'])('rejects %j as a size', (text) => {
    expect(problemsOf({ A: text }, (env) => env.bytes('A', { default: '1B' }))).toEqual([
      'A must be a size such as 512B, 64KiB or 1MiB',
    ]);
  });

  it.each(['1.5', '0x10', '1e3', ' 1', 'one', '8', '-1', '99999999999999999999'])('rejects %j as 0 to 7', (text) => {
    expect(problemsOf({ A: text }, (env) => env.integer('A', { default: 0, min: 0, max: 7 }))).toEqual([
      'A must be a whole number from 0 to 7',
    ]);
  });

  it.each(['yes', '1', 'TRUE'])('rejects %j as true or false', (text) => {
    expect(problemsOf({ A: text }, (env) => env.boolean('A', false))).toEqual(['A must be one of: true, false']);
  });

  it.each(['localhost:80', 'ftp://x', '/path', 'http://'])('rejects %j as an HTTP URL', (text) => {
    expect(problemsOf({ A: text }, (env) => env.url('A', { default: 'http://x' }))).toEqual([
      'A must be a URL that starts with http:// or https://',
    ]);
  });

  it.each(['a b', 'a'.repeat(129), '#'])('rejects %j as a topic, and returns the default', (text) => {
    expect(problemsOf({ A: text }, (env) => expect(env.topic('A', 'chat')).toBe('chat'))).toEqual([
      'A must be a topic: 1 to 128 bytes of A-Z a-z 0-9 . _ ~ : / -',
    ]);
  });

  it.each(['http://user@host', 'https://user:hunter2@host/keys', 'https://:hunter2@host'])(
    'rejects %j as a URL: it may come to stand in a log line',
    (text) => {
      expect(problemsOf({ A: text }, (env) => env.url('A', { default: 'http://x' }))).toEqual([
        'A must not contain a user name or a password',
      ]);
    },
  );

  it.each(['secret\n', 'secret\r\n', '\nsecret'])('rejects %j: a line break is no part of a value', (text) => {
    const problem = ['A must not begin or end with a line break'];
    expect(problemsOf({ A: text }, (env) => env.optional('A'))).toEqual(problem);
    expect(problemsOf({ A: text }, (env) => env.string('A', 'x'))).toEqual(problem);
    expect(problemsOf({ A: text }, (env) => expect(env.list('A')).toEqual(['secret']))).toEqual([]);
    expect(problemsOf({ A: text }, (env) => expect(env.multiline('A')).toBe(text))).toEqual([]);
  });

  it('reports all problems in one error, in the order of reading, with those of the caller', () => {
    const env = new EnvReader({ A: 'x', B: 'y' });
    env.integer('A', { default: 1, max: 9 });
    env.boolean('B', false);
    env.fail('C', 'must differ from B');
    expect(() => env.finish()).toThrow(
      expect.objectContaining({
        name: 'ConfigError',
        message:
          '3 problems with the environment:\n' +
          '  A must be a whole number from 0 to 9\n' +
          '  B must be one of: true, false\n' +
          '  C must differ from B',
      }),
    );
  });

  it('never reports a value, which may be a secret', () => {
    const secret = 'hunter2';
    const names = ['A', 'B', 'C', 'D', 'E', 'F'];
    const env = new EnvReader(Object.fromEntries(names.map((name) => [name, secret])));
    env.integer('A', { default: 0 });
    env.boolean('B', false);
    env.durationMs('C', { default: '1s' });
    env.bytes('D', { default: '1B' });
    env.oneOf('E', ['x'], 'x');
    env.url('F', { default: 'http://x' });
    expect(() => env.finish()).toThrow(/^6 problems/);
    expect(() => env.finish()).not.toThrow(secret);
  });

  it('lists every variable that was read, with its default as text', () => {
    const env = new EnvReader({ A: 'set' });
    env.string('A', 'x');
    env.optional('B');
    env.durationMs('C', { default: '4s' });
    env.list('D', ['a', 'b']);
    env.boolean('E', true);
    env.integer('F', { default: 3 });
    env.string('A', 'x');
    expect(env.settings()).toEqual([
      { name: 'A', default: 'x' },
      { name: 'B', default: '' },
      { name: 'C', default: '4s' },
      { name: 'D', default: 'a,b' },
      { name: 'E', default: 'true' },
      { name: 'F', default: '3' },
    ]);
  });
});
