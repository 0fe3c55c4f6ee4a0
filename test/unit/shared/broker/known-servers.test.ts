import { expect, it } from 'vitest';
import { KnownServers } from '../../../../services/shared/broker/redis/known-servers.ts';

it('a server is known by what INFO showed on its connection, for a second after the call that read it began', () => {
  let nowMs = 5000;
  const servers = new KnownServers({ monotonicMs: () => nowMs });
  const [client, other] = [{ stream: {} }, { stream: {} }];
  const call = servers.of(client);
  expect(call.name).toBe('');
  nowMs += 300; // the reply comes
  call.learn('run.replication');
  expect([servers.of(client).name, servers.of(other).name]).toEqual(['run.replication', '']);
  nowMs = 5999;
  servers.of(client).learn(''); // INFO was not read
  expect(servers.of(client).name).toBe('run.replication');
  nowMs = 6000;
  expect(servers.of(client).name).toBe('');
  servers.of(client).learn('run.other');
  expect(servers.of(client).name).toBe('run.other');
  client.stream = {}; // connected again
  expect(servers.of(client).name).toBe('');
});
