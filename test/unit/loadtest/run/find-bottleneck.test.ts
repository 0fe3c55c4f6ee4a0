import { describe, expect, it } from 'vitest';
import { findBottleneck, type Observations } from '../../../../services/loadtest/run/find-bottleneck.ts';

const QUIET: Observations = {
  rampEndedBy: undefined,
  limitedBy: undefined,
  failed: {},
  lost: {},
  reconnectFailed: {},
  unreachable: [],
  updatesFailed: {},
  tcpRanShort: false,
  plannedClients: 1000,
  plannedRampS: 10,
  rampS: 10.1,
  rampCpu: 0.2,
  publishCpu: 0.3,
  activity: 'while updates were published',
  testCpu: 0.25,
  relayCpu: 0.1,
  busiest: { clients: 0.2, cpu: 0.9 },
};

describe('the bottleneck of a load test', () => {
  it.each<[string, Partial<Observations>, RegExp]>([
    [
      'none',
      {},
      /^none found: CPU of this machine 30 % busy, busiest relay 10 % of a core, busiest client process 20 %$/,
    ],
    [
      'unknown without CPU figures',
      { publishCpu: undefined, relayCpu: undefined },
      /^none found: busiest client process 20 %$/,
    ],
    ['memory', { rampEndedBy: 'memory', failed: { EMFILE: 900 } }, /^the memory of this machine/],
    [
      'a limit of the machine',
      { limitedBy: 'memory (about 16 KiB per client)' },
      /^memory .*: no room for more clients$/,
    ],
    ['open files', { failed: { EMFILE: 900 } }, /ulimit -n/],
    ['files of the machine', { failed: { ENFILE: 900 } }, /fs\.file-max/],
    ['ports', { failed: { EADDRNOTAVAIL: 900 } }, /ip_local_port_range/],
    ['a relay that is full', { failed: { 'HTTP 503': 900 } }, /MAX_CONNECTIONS/],
    [
      'a relay that is gone',
      { reconnectFailed: { ECONNREFUSED: 900 }, unreachable: ['10.0.0.1:8080'] },
      /^relays that accept no connections: 10\.0\.0\.1:8080$/,
    ],
    ['a relay that was away', { failed: { ECONNREFUSED: 6 } }, /refused for a while, and are accepted at the end/],
    ['missing responses', { lost: { 'no response within 30 s': 2 } }, /no response/],
    ['memory for TCP', { tcpRanShort: true, publishCpu: 1 }, /net\.ipv4\.tcp_mem/],
    ['the webhook', { updatesFailed: { x: 1 } }, /webhook/],
    ['the CPU', { publishCpu: 0.97, testCpu: 0.9 }, /^the CPU .* 97 % busy .*, 90 % by this test$/],
    [
      'the CPU, used by other processes',
      { publishCpu: 0.97, testCpu: 0.2 },
      /20 % by this test; other processes used the rest$/,
    ],
    [
      'the CPU, if the share of the test is unknown',
      { publishCpu: 0.97, testCpu: undefined },
      /97 % busy while updates were published$/,
    ],
    ['one relay', { relayCpu: 0.95 }, /^the CPU core of one relay: 95 %/],
    ['the clients', { busiest: { clients: 0.95, cpu: 0.5 } }, /^the load test itself: a client process was 95 %/],
    [
      'the CPU for a second',
      { busiest: { clients: 1, cpu: 0.98 } },
      /^the CPU of this machine: 98 % busy in the second/,
    ],
    ['the handshakes', { rampS: 15 }, /^the handshakes: the ramp took 15 s instead of 10 s/],
  ])('is %s', (_, seen, bottleneck) => {
    expect(findBottleneck({ ...QUIET, ...seen })).toMatch(bottleneck);
  });

  it('ignores a reason that affects one client in a thousand', () => {
    expect(findBottleneck({ ...QUIET, failed: { ECONNRESET: 1 } })).toMatch(/^none found/);
  });
});
