import { readFileSync } from 'node:fs';
import { BlockList } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { type AdmissionLimits, ConnectionAdmission } from '../../../../services/relay/access/admission.ts';
import { connectionsByFileLimit, socketsByFileLimit } from '../../../../services/relay/access/file-limit.ts';
import { Origins } from '../../../../services/relay/access/origins.ts';
import { createClientAddressReader } from '../../../../services/shared/http/client-address.ts';
import type { TransportName } from '../../../../services/shared/protocol/transport-name.ts';

const OFF: AdmissionLimits = { maxConnections: 0, maxConnectionsPerAddress: 0, connectionPointsPerSecond: 0 };

function createAdmission(limits: Partial<AdmissionLimits>) {
  const time = { nowMs: 1_000_000 };
  const relay = { isFresh: true };
  const share = { isAbove: false };
  /** The keys of connections that may be evicted. */
  const evictable: string[] = [];
  const admission: ConnectionAdmission = new ConnectionAdmission({
    limits: { ...OFF, ...limits },
    origins: new Origins({ allowed: [], sameHostOnly: true, allowMissing: true }),
    readAddress: createClientAddressReader(new BlockList()),
    isAllowedHost: (host) => host === 'relay',
    evictionPool: {
      get canEvict() {
        return evictable.length > 0;
      },
      evict() {
        admission.release(evictable.shift() as string);
      },
    },
    isFresh: () => relay.isFresh,
    isAboveShare: () => share.isAbove,
    nowMs: () => time.nowMs,
  });
  const enter = (address = '203.0.113.1', transport: TransportName = 'websocket', topics = 1, triesLeft = 0) =>
    admission.admit({ address, forwardedFor: '', origin: '', host: 'relay', triesLeft }, transport, topics);
  const enterFrom = (origin: string, host: string) =>
    admission.admit({ address: '203.0.113.1', forwardedFor: '', origin, host, triesLeft: 0 }, 'websocket', 1);
  return { admission, enter, enterFrom, evictable, time, relay, share };
}

describe('admission', () => {
  it('admits connections up to the limit, and another one when one is released', () => {
    const { admission, enter } = createAdmission({ maxConnections: 2 });
    const first = enter();
    enter();
    expect(() => enter()).toThrow(expect.objectContaining({ code: 'relay_full', status: 503 }));
    admission.release(first);
    enter();
  });

  it('admits a connection to a full relay by closing one that may be closed, if nothing else forbids it', () => {
    const { admission, enter, evictable, time } = createAdmission({ maxConnections: 2, connectionPointsPerSecond: 2 });
    const first = enter();
    enter();
    evictable.push(first);
    expect(() => enter()).toThrow(expect.objectContaining({ code: 'connecting_too_fast' }));
    expect(evictable).toHaveLength(1);
    time.nowMs += 1000;
    enter();
    expect([admission.connections, evictable]).toEqual([2, []]);
    expect(() => enter()).toThrow(expect.objectContaining({ code: 'relay_full' }));
  });

  it('counts the connections of an address correctly if one of them was closed for another', () => {
    const { admission, enter, evictable } = createAdmission({ maxConnections: 2, maxConnectionsPerAddress: 3 });
    const key = enter();
    enter();
    for (let i = 0; i < 10; i += 1) {
      evictable.push(key);
      enter();
    }
    admission.release(key);
    admission.release(key);
    expect(admission.connections).toBe(0);
  });

  it('refuses requests to other hosts, and pages of other origins with both for the log', () => {
    const { admission, enterFrom } = createAdmission({});
    expect(() => enterFrom('http://relay', 'evil')).toThrow(expect.objectContaining({ code: 'host_forbidden' }));
    expect(() => enterFrom('http://evil', 'relay')).toThrow(
      expect.objectContaining({ code: 'origin_forbidden', cause: { origin: 'http://evil', host: 'relay' } }),
    );
    expect(admission.connections).toBe(0);
    enterFrom('http://relay', 'relay');
    expect(admission.connections).toBe(1);
  });

  it('refuses legacy clients, which cannot resume, while the relay is stale', () => {
    const { admission, enter, relay } = createAdmission({});
    relay.isFresh = false;
    expect(() => enter('203.0.113.1', 'legacy')).toThrow(expect.objectContaining({ code: 'not_fresh', status: 503 }));
    for (const transport of ['websocket', 'sse', 'long-poll'] as const) enter('203.0.113.1', transport);
    relay.isFresh = true;
    enter('203.0.113.1', 'legacy');
    expect(admission.connections).toBe(4);
  });

  it('limits the connections of an address without effect on others', () => {
    const { admission, enter } = createAdmission({ maxConnectionsPerAddress: 2 });
    const keys = [enter('203.0.113.1'), enter('203.0.113.1')];
    expect(() => enter('203.0.113.1')).toThrow(expect.objectContaining({ code: 'too_many_connections', status: 429 }));
    enter('203.0.113.2');
    for (const places of [1, 2]) {
      for (const key of keys.splice(0, places)) admission.release(key);
      for (let i = 0; i < places; i += 1) keys.push(enter('203.0.113.1'));
      expect(() => enter('203.0.113.1')).toThrow(expect.objectContaining({ code: 'too_many_connections' }));
    }
  });

  it('needs no memory for addresses whose connections are closed', () => {
    setFlagsFromString('--expose-gc');
    const collectGarbage: () => void = runInNewContext('gc');
    const { admission, enter } = createAdmission({ maxConnectionsPerAddress: 1 });
    collectGarbage();
    const before = process.memoryUsage().heapUsed;
    for (let n = 0; n < 2 ** 15; n += 1) admission.release(enter(`203.0.${n >> 8}.${n & 255}`));
    collectGarbage();
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(2 ** 20);
    expect(admission.connections).toBe(0); // which also keeps it in memory until here
  });

  it('does not count refused connections against the connection rate', () => {
    const { enter } = createAdmission({ maxConnectionsPerAddress: 1, connectionPointsPerSecond: 2 });
    enter('203.0.113.1');
    for (let i = 0; i < 100; i += 1) {
      expect(() => enter('203.0.113.1')).toThrow(expect.objectContaining({ code: 'too_many_connections' }));
    }
    enter('203.0.113.2');
  });

  it('counts all addresses of an IPv6 /64 as one', () => {
    const { enter } = createAdmission({ maxConnectionsPerAddress: 1 });
    enter('2001:db8:0:1::1');
    expect(() => enter('2001:db8:0:1::2')).toThrow(expect.objectContaining({ code: 'too_many_connections' }));
    enter('2001:db8:0:2::1');
  });

  it('limits the connections per second, and admits later ones', () => {
    const { enter, time } = createAdmission({ connectionPointsPerSecond: 3 });
    for (let i = 0; i < 3; i += 1) enter();
    expect(() => enter()).toThrow(expect.objectContaining({ code: 'connecting_too_fast', status: 503 }));
    time.nowMs += 400;
    enter();
    expect(() => enter()).toThrow();
    time.nowMs += 60_000;
    for (let i = 0; i < 3; i += 1) enter();
    expect(() => enter()).toThrow();
  });

  it('charges a connection for each topic of its URL, and admits every valid one', () => {
    const { enter, time } = createAdmission({ connectionPointsPerSecond: 10 });
    enter('203.0.113.1', 'websocket', 128);
    expect(() => enter('203.0.113.1', 'websocket', 0)).toThrow(
      expect.objectContaining({ code: 'connecting_too_fast' }),
    );
    time.nowMs += 11_000;
    expect(() => enter()).toThrow();
    time.nowMs += 1000;
    enter();
  });

  it('charges a message for each topic that it subscribes to, and nothing for a message without topics', () => {
    const { admission, time } = createAdmission({ connectionPointsPerSecond: 10 });
    expect(admission.admitTopics(20)).toBe(true);
    expect([admission.admitTopics(1), admission.admitTopics(0)]).toEqual([false, true]);
    time.nowMs += 1100;
    expect(admission.admitTopics(1)).toBe(true);
    expect(createAdmission({}).admission.admitTopics(1000)).toBe(true);
  });

  it('neither admits nor delays extra connections when the clock steps back', () => {
    const { enter, time } = createAdmission({ connectionPointsPerSecond: 2 });
    enter();
    enter();
    time.nowMs -= 3_600_000;
    expect(() => enter()).toThrow();
    time.nowMs += 500;
    enter();
  });

  it('refuses all connections while the relay drains', () => {
    const { admission, enter } = createAdmission({});
    enter();
    admission.drain();
    expect(() => enter()).toThrow(expect.objectContaining({ code: 'draining', status: 503 }));
  });

  it('refuses clients with tries left while it is above its share, before any limit, and admits those without', () => {
    const { admission, enter, share } = createAdmission({ maxConnections: 1, connectionPointsPerSecond: 1 });
    share.isAbove = true;
    for (let n = 0; n < 10; n += 1) {
      expect(() => enter('203.0.113.1', 'websocket', 1, 1)).toThrow(
        expect.objectContaining({ code: 'rebalancing', status: 503 }),
      );
    }
    expect(admission.connections).toBe(0);
    enter('203.0.113.1', 'websocket', 1, 0); // the refused ones have used up nothing
    expect(() => enter('203.0.113.1', 'websocket', 1, 3)).toThrow(expect.objectContaining({ code: 'rebalancing' }));
    expect(() => enter('203.0.113.1', 'websocket', 1, 0)).toThrow(expect.objectContaining({ code: 'relay_full' }));
    share.isAbove = false;
    expect(() => enter('203.0.113.1', 'websocket', 1, 3)).toThrow(expect.objectContaining({ code: 'relay_full' }));
    share.isAbove = true;
    admission.drain();
    expect(() => enter('203.0.113.1', 'websocket', 1, 3)).toThrow(expect.objectContaining({ code: 'draining' }));
  });

  it('has no limits if they are 0', () => {
    const { enter } = createAdmission({});
    for (let i = 0; i < 10_000; i += 1) enter();
  });
});

describe('the default of MAX_CONNECTIONS', () => {
  it.each([
    ['Max open files            20000                20000                files', 19_800, 19_900],
    ['Max open files            100                  1024                 files', 1, 1],
    ['Max open files            unlimited            unlimited            files', 0, 0],
    ['Max open files            201                  1024                 files', 1, 101],
    ['Limit\nMax open files            300  1024  files\nMax pending signals 5 5 signals', 100, 200],
    ['Not Max open files 300', 10_000, 0],
    ['', 10_000, 0],
  ])('follows %j, and leaves room to say no', (limits, connections, sockets) => {
    expect(connectionsByFileLimit(limits)).toBe(connections);
    expect(socketsByFileLimit(limits)).toBe(sockets);
  });

  it.runIf(process.platform === 'linux')('follows the limit of this process', () => {
    const limits = readFileSync('/proc/self/limits', 'utf8');
    expect(limits).toContain('Max open files');
    expect(connectionsByFileLimit()).toBe(connectionsByFileLimit(limits));
    expect(socketsByFileLimit()).toBe(socketsByFileLimit(limits));
  });
});
