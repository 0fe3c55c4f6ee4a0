import { describe, expect, it } from 'vitest';
import { EnvReader } from '../../../../services/shared/config/env-reader.ts';
import { readSources } from '../../../../services/webhook/sources/source.ts';
import { sourcesFile } from '../../../support/sources-file.ts';

const GOOD = { verify: 'github', secrets: ['a secret of the tests'], topic: 'repo/{repository.full_name}' };

function problemsOf(content: unknown): string {
  const env = new EnvReader({ WEBHOOK_SOURCES: sourcesFile(content) });
  readSources(env);
  try {
    env.finish();
  } catch (error) {
    return String(error);
  }
  return '';
}

describe('readSources', () => {
  it('reads none without the setting', () => {
    expect(readSources(new EnvReader({})).size).toBe(0);
  });

  it('reads the sources of a file by their names', () => {
    const env = new EnvReader({
      WEBHOOK_SOURCES: sourcesFile({ 'git-hub': GOOD, b2: { ...GOOD, allow: ['repo/*'] } }),
    });
    expect([...readSources(env).keys()]).toEqual(['git-hub', 'b2']);
    expect(problemsOf({})).toBe('');
  });

  it('says that the file cannot be read', () => {
    const env = new EnvReader({ WEBHOOK_SOURCES: '/does/not/exist.json' });
    readSources(env);
    expect(() => env.finish()).toThrow('WEBHOOK_SOURCES must be the path of a readable file');
  });

  it.each<[unknown, string]>([
    ['{\n  "github": {\n    "verify" "github"\n}', 'must be a file in JSON: there is an error in line 3'],
    ['', 'must be a file in JSON: there is an error in line 1'],
    ['[]', 'must be a file with a JSON object'],
    [{ 'Git Hub': GOOD }, 'has in source "Git Hub" an invalid name: it must be 1 to 63 of a-z 0-9 -'],
    [
      { a: 7 },
      'has in source "a" an invalid verify: it must be one of standard, github, stripe, shopify, basic, token',
    ],
    [{ a: { ...GOOD, verify: 'constructor' } }, 'has in source "a" an invalid verify'],
    [
      { a: { ...GOOD, secret: 'x' } },
      'has in source "a" an invalid "secret": members are verify, secrets, topic, allow',
    ],
    [
      { a: { ...GOOD, secrets: 'a secret of the tests' } },
      'an invalid secrets: it must be a list of secrets, each at least 16',
    ],
    [{ a: { ...GOOD, secrets: [] } }, 'has in source "a" an invalid secrets'],
    [{ a: { ...GOOD, secrets: ['short'] } }, 'has in source "a" an invalid secrets'],
    [{ a: { ...GOOD, secrets: [...GOOD.secrets, ...GOOD.secrets] } }, 'it must not have the same secret twice'],
    [{ a: { ...GOOD, verify: 'standard' } }, 'an invalid secrets: it must be a list of secrets, each whsec_<base64>'],
    [{ a: { ...GOOD, verify: 'basic' } }, 'an invalid secrets: it must be a list of secrets, each <user>:<password>'],
    [{ a: { ...GOOD, verify: 'token' } }, 'an invalid secrets: it must be a list of secrets, each at least 16 of A-Z'],
    [{ a: { ...GOOD, topic: undefined } }, 'has in source "a" an invalid topic'],
    [{ a: { ...GOOD, topic: 'a b' } }, 'has in source "a" an invalid topic'],
    [{ a: { ...GOOD, topic: 'repo/{}' } }, 'has in source "a" an invalid topic'],
    [{ a: { ...GOOD, topic: 'repo/{a..b}' } }, 'has in source "a" an invalid topic'],
    [{ a: { ...GOOD, topic: '{type}' } }, 'an invalid allow: it is required if the topic begins with a placeholder'],
    [{ a: { ...GOOD, allow: [] } }, 'an invalid allow: it must be a list of topics, or of prefixes followed by *'],
    [{ a: { ...GOOD, allow: ['*x'] } }, 'has in source "a" an invalid allow'],
  ])('names what is wrong with %j', (content, problem) => {
    expect(problemsOf(content)).toContain(
      `WEBHOOK_SOURCES ${problem}`.replace('WEBHOOK_SOURCES an', 'an').replace('WEBHOOK_SOURCES it', 'it'),
    );
  });

  it('reports every problem, and no secret', () => {
    const secret = 'hunter2-hunter2-hunter2';
    const text = problemsOf({
      a: { ...GOOD, secrets: [secret, secret] },
      b: { ...GOOD, secrets: [secret], topic: '' },
    });
    expect(text.split('\n')).toHaveLength(3);
    expect(text).not.toContain(secret);
    expect(problemsOf(`{"a": {"secrets": ["${secret}" x`)).not.toContain('hunter2');
  });
});
