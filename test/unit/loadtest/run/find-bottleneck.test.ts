import { describe, expect, it } from 'vitest';
import { findWall, type Sights } from '../../../../services/loadtest/run/find-bottleneck.ts';

const QUIET: Sights = {
  endedRampFor: undefined,
  shrunkBy: undefined,
  failed: {},
  lost: {},
  notBack: {},
  updatesFailed: {},
  tcpRanShort: false,
  wanted: 1000,
  rampS: 10,
  rampTookS: 10.1,
  rampCpu: 0.2,
  publishCpu: 0.3,
  meanwhile: 'while updates were published',
  ownCpu: 0.25,
  relayCpu: 0.1,
  busiest: { clients: 0.2, cpu: 0.9 },
};

describe('the wall of a load test', () => {
  it.each<[string, Partial<Sights>, RegExp]>([
    [
      'none',
      {},
      /^none was met: CPU of this machine 30 % busy, busiest relay 10 % of a core, busiest process .* 20 %$/,
    ],
    [
      'none to be seen',
      { publishCpu: undefined, relayCpu: undefined },
      /^none was met: busiest process of clients 20 %$/,
    ],
    ['memory', { endedRampFor: 'memory', failed: { EMFILE: 900 } }, /^the memory of this machine/],
    [
      'what left no room',
      { shrunkBy: 'memory (about 16 KiB a client)' },
      /^memory .*: it leaves no room for more clients$/,
    ],
    ['open files', { failed: { EMFILE: 900 } }, /ulimit -n/],
    ['files of the machine', { failed: { ENFILE: 900 } }, /fs\.file-max/],
    ['ports', { failed: { EADDRNOTAVAIL: 900 } }, /ip_local_port_range/],
    ['a relay that is full', { failed: { 'refused with 503': 900 } }, /MAX_CONNECTIONS/],
    ['nobody there', { notBack: { ECONNREFUSED: 900 } }, /nobody listens/],
    ['no answers', { lost: { 'no answer within 30 s': 2 } }, /no answer/],
    ['memory for TCP', { tcpRanShort: true, publishCpu: 1 }, /net\.ipv4\.tcp_mem/],
    ['the webhook', { updatesFailed: { x: 1 } }, /webhook/],
    ['the CPU', { publishCpu: 0.97, ownCpu: 0.9 }, /^the CPU .* 97 % busy .* this test took 90 %$/],
    ['the CPU, by others', { publishCpu: 0.97, ownCpu: 0.2 }, /this test took 20 %: something else kept it busy$/],
    ['the CPU, of who knows', { publishCpu: 0.97, ownCpu: undefined }, /97 % busy while updates were published$/],
    ['one relay', { relayCpu: 0.95 }, /^the core of one relay: 95 %/],
    ['the clients', { busiest: { clients: 0.95, cpu: 0.5 } }, /^the clients themselves: one process was 95 %/],
    [
      'the CPU for a second',
      { busiest: { clients: 1, cpu: 0.98 } },
      /^the CPU of this machine: 98 % busy in the second/,
    ],
    ['the handshakes', { rampTookS: 15 }, /^the handshakes: the ramp took 15 s instead of 10 s/],
  ])('is %s', (_, seen, wall) => {
    expect(findWall({ ...QUIET, ...seen })).toMatch(wall);
  });

  it('is none that only one in thousands met', () => {
    expect(findWall({ ...QUIET, failed: { ECONNRESET: 1 } })).toMatch(/^none/);
  });
});
