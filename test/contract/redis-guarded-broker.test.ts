import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SILENT_REPORT } from '../../services/shared/broker/broker-report.ts';
import { RedisBroker } from '../../services/shared/broker/redis/redis-broker.ts';
import { EnvReader } from '../../services/shared/config/env-reader.ts';
import { requireRedisConfig } from '../../services/shared/config/redis-config.ts';
import { type Certificate, makeCertificate } from '../support/certificate.ts';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/free-port.ts';
import { readReadmeAcl } from '../support/readme-acl.ts';
import { askRedis } from '../support/redis-admin.ts';
import { redisBrokers } from '../support/redis-brokers.ts';
import { RedisProcess } from '../support/redis-process.ts';
import { describeBroker } from './broker-contract.ts';
import { describeReceipts } from './receipts-contract.ts';

const { rules, username, password } = readReadmeAcl();
let certificate: Certificate;
let redis: RedisProcess;
let url: string;

beforeAll(async () => {
  certificate = makeCertificate();
  const { certFile, keyFile } = certificate;
  const port = String(await freePort());
  const files = ['--tls-cert-file', certFile, '--tls-key-file', keyFile, '--tls-ca-cert-file', certFile];
  const tls = ['--tls-port', port, '--tls-auth-clients', 'yes', ...files];
  redis = await RedisProcess.start({ args: [...tls, '--user', username, ...rules] });
  url = `rediss://${username}:${password}@127.0.0.1:${port}`;
});
afterAll(async () => {
  await redis?.stop();
  certificate?.[Symbol.dispose]();
});

/** The environment of a process that Redis accepts: as most servers with TLS, it requires a certificate. */
const guardedEnv = () => {
  const { certFile, keyFile } = certificate;
  return { REDIS_URL: url, REDIS_CA_FILE: certFile, REDIS_CERT_FILE: certFile, REDIS_KEY_FILE: keyFile };
};
const guarded = async () => redisBrokers(guardedEnv());

describeBroker('Redis with TLS, client certificates and the recommended ACL user', guarded);
describeReceipts('Redis with TLS, client certificates and the recommended ACL user', guarded);

describe('a broker on a Redis with TLS and an ACL user', () => {
  it('never tries what its user is not allowed to do', async () => {
    expect(await askRedis(redis.port, 'ACL', 'LOG')).toEqual([]);
  });

  it.each(['REDIS_CA_FILE', 'REDIS_CERT_FILE'])('does not reach it without %s', async (missing) => {
    const { [missing]: _, ...env } = { ...guardedEnv() } as Record<string, string>;
    if (missing === 'REDIS_CERT_FILE') delete env.REDIS_KEY_FILE;
    const broker = redisBrokers(env).connect();
    await broker.start();
    const topic = 'chat' as never;
    await expect(broker.publish(topic, {}, { epoch: '', version: 0 })).rejects.toThrow(/cannot be reached/);
    await broker.stop();
  });

  it('works for a user that may not load scripts, also after Redis forgot them, and reports that once a connection', async () => {
    await askRedis(redis.port, 'ACL', 'SETUSER', 'older', ...rules, '>older-password', '-script|load');
    const reasons: string[] = [];
    const env = new EnvReader({
      ...guardedEnv(),
      REDIS_URL: url.replace(`${username}:${password}`, 'older:older-password'),
    });
    const report = { ...SILENT_REPORT, scriptLoadRefused: (reason: string) => void reasons.push(reason) };
    const broker = new RedisBroker({ config: requireRedisConfig(env), report, abort() {}, restoreTimeMs: 0 });
    await broker.start();
    const witness = { epoch: '', version: 0 };
    const { version } = await broker.publish('chat' as never, {}, witness);
    await askRedis(redis.port, 'SCRIPT', 'FLUSH');
    expect((await broker.publish('chat' as never, {}, witness)).version).toBeGreaterThan(version);
    await broker.stop();
    expect(reasons).toEqual([expect.stringContaining('NOPERM')]);
  });

  it('waits for replicas as that user', async () => {
    const broker = redisBrokers({ ...guardedEnv(), PUBLISH_WAIT_REPLICAS: '1', REDIS_TIMEOUT: '400ms' }).connect();
    await broker.start();
    await eventually(async () => {
      const published = broker.publish('chat' as never, {}, { epoch: '', version: 0 });
      await expect(published).rejects.toMatchObject({ code: 'not_replicated' });
    });
    await broker.stop();
  });
});
