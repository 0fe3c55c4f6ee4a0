import { describe, expect, it } from 'vitest';
import { computeCapacity, parseLoad, type UnitCosts } from './capacity.ts';
import { renderCapacity } from './render-capacity.ts';

const COSTS: UnitCosts = {
  redisUsPerUpdate: 20,
  redisUsPerReceiver: 2,
  redisUsPerRelaySecond: 1000,
  redisBytesPerTopic: 500,
  webhookUsPerUpdate: 100,
  relayUsPerUpdate: 50,
  relayUsPerDelivery: 10,
  relayBytes: 70_000_000,
  relayBytesPerClient: 1000,
  relayBytesPerTopic: 2000,
};
const LOAD = { relays: 10, updates: 1000, clients: 20_000, topics: 20_000 };

describe('the capacity of a cluster', () => {
  it('is the sum of what updates, relays, clients and topics cost', () => {
    expect(computeCapacity(LOAD, COSTS)).toEqual({
      redisCores: expect.closeTo((1000 * (20 + 2) + 10 * 1000) / 1e6),
      redisBytes: 20_000 * 500,
      webhookCores: expect.closeTo(0.1),
      coresPerRelay: expect.closeTo((100 * 50 + 100 * 10) / 1e6),
      bytesPerRelay: expect.closeTo(70_000_000 + 2000 * 1000 + 2000 * 2000, 0),
    });
  });

  it('counts a relay once for a topic, however many clients of it the relay has', () => {
    const { redisCores } = computeCapacity({ ...LOAD, relays: 1, clients: 2_000_000 }, COSTS);
    expect(redisCores).toBeCloseTo((1000 * (20 + 2) + 1000) / 1e6);
  });

  it('is printed for the load, and for other numbers of relays and updates', () => {
    const text = renderCapacity(LOAD, COSTS);
    expect(text).toMatch(/\| 10 +\| 1000 +\| 0\.03 +\| 10 +\| 0\.10 +\| 0\.01 +\| 72 /);
    expect(text).toMatch(/\| 1000 +\| 100000 +\|/);
  });

  it.each([
    ['relays=1', 'missing: updates, clients, topics'],
    ['relays=0,updates=1,clients=1,topics=1', 'relays must be a whole number from 1 to 10000'],
    ['relays=1,updates=1e9,clients=1,topics=1', 'updates must be a whole number from 1 to 10000000'],
    ['relays=1,relays=2,updates=1,clients=1,topics=1', 'relays is given twice'],
    ['relays=1,updates=1,clients=1,topics=1,toString=1', 'unknown: "toString=1"'],
    ['', 'unknown: ""; missing: relays, updates, clients, topics'],
  ])('is refused for %s, with the reason', (text, reason) => {
    expect(() => parseLoad(text)).toThrow(reason);
  });

  it('is computed for a valid load', () => {
    expect(parseLoad('relays=10,updates=1000,clients=20000,topics=20000')).toEqual(LOAD);
  });
});
