import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ConfigError } from '../../../../services/shared/config/config-error.ts';
import { EnvReader } from '../../../../services/shared/config/env-reader.ts';
import { type RedisConfig, readRedisConfig } from '../../../../services/shared/config/redis-config.ts';
import { makeCertificate } from '../../../support/certificate.ts';

function read(env: Record<string, string>): RedisConfig | undefined {
  const reader = new EnvReader(env);
  const config = readRedisConfig(reader);
  reader.finish();
  return config;
}

function problemsOf(env: Record<string, string>): string[] {
  try {
    read(env);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems.map(({ name, problem }) => `${name} ${problem}`);
    throw error;
  }
  return [];
}

describe('REDIS_URL', () => {
  it.each([
    ['redis://redis', { host: 'redis', port: 6379 }, 0, ['', ''], false],
    ['redis://redis:6380/', { host: 'redis', port: 6380 }, 0, ['', ''], false],
    ['rediss://me:p%25w%2F@[::1]:6380/15', { host: '::1', port: 6380 }, 15, ['me', 'p%w/'], true],
    ['redis://:secret@redis/2', { host: 'redis', port: 6379 }, 2, ['', 'secret'], false],
  ])('is read as server, database, login and TLS: %s', (url, address, database, login, tls) => {
    const [username, password] = login;
    expect(read({ REDIS_URL: url })).toMatchObject({
      servers: { kind: 'single', address },
      database,
      credentials: { username, password, tls },
    });
  });

  it.each([
    ['redis://redis/3/', 'must end with the port or the number of a database'],
    ['redis://redis/main', 'must end with the port or the number of a database'],
    ['redis://redis/-1', 'must end with the port or the number of a database'],
    ['redis://redis?db=3', 'must have no ? and no #'],
    ['redis://redis/#3', 'must have no ? and no #'],
    ['redis://me:100%@redis', 'has a user name or password with a % that must be written %25'],
    ['redis://100%:secret@redis', 'has a user name or password with a % that must be written %25'],
    ['http://redis', 'must be a URL that starts with redis:// or rediss://'],
  ])('is refused instead of read in part: %s', (url, problem) => {
    const problems = problemsOf({ REDIS_URL: url });
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(/^REDIS_URL /);
    expect(problems[0]).toContain(problem);
  });

  it('takes login and TLS from other variables where it has none', () => {
    const env = { REDIS_URL: 'redis://redis', REDIS_USERNAME: 'me', REDIS_PASSWORD: '100%', REDIS_TLS: 'true' };
    expect(read(env)?.credentials).toMatchObject({ username: 'me', password: '100%', tls: true });
  });
});

describe('the certificates for Redis', () => {
  it('are read from their files', () => {
    using certificate = makeCertificate();
    const { certFile, keyFile } = certificate;
    const env = { REDIS_CA_FILE: certFile, REDIS_CERT_FILE: certFile, REDIS_KEY_FILE: keyFile };
    const { ca, cert, key } = read({ REDIS_URL: 'rediss://redis', ...env })?.credentials ?? {};
    expect(cert).toMatch(/^-----BEGIN CERTIFICATE-----/);
    expect(ca).toBe(cert);
    expect(key).toMatch(/^-----BEGIN .*PRIVATE KEY-----/);
  });

  it('are refused without TLS, which they would not cause', () => {
    using certificate = makeCertificate();
    const { certFile, keyFile } = certificate;
    const env = {
      REDIS_URL: 'redis://redis',
      REDIS_CA_FILE: certFile,
      REDIS_CERT_FILE: certFile,
      REDIS_KEY_FILE: keyFile,
    };
    expect(problemsOf(env)).toEqual([
      'REDIS_CA_FILE has no effect without TLS: set REDIS_TLS, or REDIS_URL to rediss://',
      'REDIS_CERT_FILE has no effect without TLS: set REDIS_TLS, or REDIS_URL to rediss://',
    ]);
    expect(problemsOf({ ...env, REDIS_TLS: 'true' })).toEqual([]);
  });

  it('are refused by name if they cannot work', () => {
    using certificate = makeCertificate();
    using other = makeCertificate();
    const { certFile, keyFile } = certificate;
    const garbage = join(certFile, '../garbage.pem');
    writeFileSync(garbage, 'garbage');
    const url = { REDIS_URL: 'rediss://redis' };
    expect(problemsOf({ ...url, REDIS_CERT_FILE: certFile })).toEqual([
      'REDIS_KEY_FILE must be set together with REDIS_CERT_FILE',
    ]);
    expect(problemsOf({ ...url, REDIS_KEY_FILE: keyFile })).toEqual([
      'REDIS_KEY_FILE must be set together with REDIS_CERT_FILE',
    ]);
    expect(problemsOf({ ...url, REDIS_CERT_FILE: certFile, REDIS_KEY_FILE: other.keyFile })).toEqual([
      'REDIS_KEY_FILE must be the key of the certificate in REDIS_CERT_FILE',
    ]);
    for (const name of ['REDIS_CA_FILE', 'REDIS_CERT_FILE', 'REDIS_KEY_FILE']) {
      expect(problemsOf({ ...url, [name]: garbage })).toContain(
        `${name} must be a file in PEM format, without a passphrase`,
      );
      expect(problemsOf({ ...url, [name]: '/nowhere.pem' })).toContain(`${name} must be the path of a readable file`);
    }
  });
});
