import { describe, expect, it } from 'vitest';
import { fitPlan } from '../../../../services/loadtest/plan/fit-plan.ts';
import type { Machine } from '../../../../services/loadtest/plan/machine.ts';
import {
  LOOPBACK_ADDRESSES,
  loopbackAddress,
  makePlan,
  type PlanRequest,
} from '../../../../services/loadtest/plan/plan.ts';
import { planText } from '../../../../services/loadtest/plan/plan-text.ts';
import { parseTarget, type Target } from '../../../../services/loadtest/wire/target.ts';

const GIB = 1024 ** 3;
const MACHINE: Machine = {
  cpus: 2,
  memoryBytes: 24 * GIB,
  availableBytes: 22 * GIB,
  filesPerProcess: 20_000,
  files: 2_400_000,
  ports: 28_232,
  trackedConnections: Number.POSITIVE_INFINITY,
  tcpPages: 575_796,
};
const REQUEST: PlanRequest = {
  clients: 1000,
  processes: undefined,
  targets: 0,
  isLoopback: false,
  relays: undefined,
  maxRelays: Number.POSITIVE_INFINITY,
  churnPerSecond: 0,
  keepFreeBytes: GIB,
  firstAddress: 0,
};
const REQUESTED = {
  clients: undefined,
  processes: undefined,
  relays: undefined,
  churnPerSecond: 0,
  keepFreeBytes: GIB,
  mayShrink: false,
};
const HERE = { relays: [], hasRedis: true };
const there = (...urls: string[]) => ({ relays: urls.map((url) => parseTarget(url) as Target), hasRedis: true });
const sum = (numbers: readonly number[]) => numbers.reduce((total, number) => total + number, 0);

describe('the plan of a load test', () => {
  it('defaults to a number of clients per core', () => {
    const { plan, refusal } = fitPlan(REQUESTED, MACHINE, HERE);
    expect(refusal).toBeUndefined();
    expect(plan).toMatchObject({ clients: 2000, processes: [2000], relays: 1 });
    expect(fitPlan(REQUESTED, { ...MACHINE, cpus: 8 }, HERE).plan).toMatchObject({ clients: 8000 });
  });

  it('spreads clients evenly over as many processes and relays as their open files require', () => {
    const { processes, relays } = makePlan({ ...REQUEST, clients: 1_000_001 }, MACHINE);
    expect(sum(processes)).toBe(1_000_001);
    expect(Math.max(...processes)).toBeLessThan(MACHINE.filesPerProcess);
    expect(Math.max(...processes) - Math.min(...processes)).toBeLessThanOrEqual(1);
    expect(1_000_001 / relays).toBeLessThan(MACHINE.filesPerProcess);
    const tight = makePlan({ ...REQUEST, clients: 10_000 }, { ...MACHINE, filesPerProcess: 1024 });
    expect(Math.max(...tight.processes)).toBeLessThan(1024);
    expect(10_000 / tight.relays).toBeLessThan(1024);
  });

  it('has no process without clients', () => {
    expect(makePlan({ ...REQUEST, clients: 3, processes: 10 }, MACHINE).processes).toEqual([1, 1, 1]);
  });

  it('gives each process its own source addresses, with ports that are found quickly', () => {
    const { processes, sourceAddresses } = makePlan({ ...REQUEST, clients: 100_000 }, MACHINE);
    expect(sourceAddresses).toHaveLength(processes.length);
    expect(new Set(sourceAddresses.flat()).size).toBe(sourceAddresses.flat().length);
    // Linux searches the odd ports of the lower half first, which are a quarter of all ports.
    for (const [i, addresses] of sourceAddresses.entries()) {
      expect((processes[i] ?? 0) / addresses.length).toBeLessThan(MACHINE.ports / 4);
    }
  });

  it('has ports for churn, because closed connections occupy theirs for a minute', () => {
    const addresses = (churnPerSecond: number) =>
      makePlan({ ...REQUEST, clients: 1000, churnPerSecond }, MACHINE).sourceAddresses.flat().length;
    expect(addresses(0)).toBe(1);
    expect(addresses(1000) * MACHINE.ports).toBeGreaterThan(1000 + 60 * 1000);
  });

  it('uses loopback addresses that end in neither 0 nor 255', () => {
    const some = [0, 1, 253, 254, 65_000, 1_000_000, LOOPBACK_ADDRESSES - 1].map(loopbackAddress);
    expect(some.slice(0, 4)).toEqual(['127.1.0.1', '127.1.0.2', '127.1.0.254', '127.1.1.1']);
    for (const address of some) expect(address).toMatch(/^127\.([1-9]|\d\d|1\d\d|2[0-4]\d|25[0-4])\.\d+\.([1-9]\d*)$/);
    expect(some.filter((address) => address.endsWith('.255'))).toEqual([]);
    expect(loopbackAddress(LOOPBACK_ADDRESSES)).toBe(loopbackAddress(0));
  });

  it.each<[string, Partial<PlanRequest>, Partial<Machine>, RegExp, RegExp]>([
    ['files of the clients', { clients: 30_000, processes: 1 }, {}, /open files per process .*clients/, /--processes/],
    ['files of the relays', { clients: 30_000, relays: 1 }, {}, /open files per process .*relays/, /--relays/],
    ['one relay without Redis', { clients: 30_000, maxRelays: 1 }, {}, /of the relays/, /install redis-server/],
    ['files of the machine', { clients: 30_000 }, { files: 50_000 }, /open files of this machine/, /fs\.file-max/],
    ['memory', { clients: 30_000 }, { availableBytes: 1.3 * GIB }, /memory/, /another machine|--keep-free/],
    [
      'connection tracking',
      { clients: 30_000 },
      { trackedConnections: 20_000 },
      /nf_conntrack_max/,
      /nf_conntrack_max/,
    ],
    ['ports', { clients: 30_000, targets: 1 }, {}, /ports .* one address/, /ip_local_port_range/],
    ['ports in TIME_WAIT', { clients: 20_000, targets: 1, churnPerSecond: 200 }, {}, /ports/, /--relay/],
  ])('reports a limit in advance: %s', (_, request, machine, name, remedy) => {
    const plan = makePlan({ ...REQUEST, ...request }, { ...MACHINE, ...machine });
    const [binding] = plan.limits;
    expect(binding?.clients).toBeLessThan(plan.clients);
    expect(binding?.name).toMatch(name);
    expect(binding?.remedy).toMatch(remedy);
    expect(planText(plan)).toContain('LIMIT EXCEEDED');
  });

  it('counts the ports per relay address, but not on loopback', () => {
    const at = (urls: string[]) => fitPlan({ ...REQUESTED, clients: 50_000 }, MACHINE, there(...urls)).refusal;
    expect(at(['http://10.0.0.1:8080'])).toMatch(/do not fit/);
    expect(at(['http://10.0.0.1:8080', 'http://10.0.0.2:8080'])).toBeUndefined();
    expect(at(['http://10.0.0.1:8080', 'http://10.0.0.1:8080/b'])).toMatch(/do not fit/);
    expect(at(['http://127.0.0.1:8080'])).toBeUndefined();
  });

  it('lets the system choose source addresses, except on loopback', () => {
    const from = (url: string) => fitPlan(REQUESTED, MACHINE, there(url)).plan.sourceAddresses.flat();
    expect(from('http://10.0.0.1:8080')).toEqual([]);
    expect(from('http://[::1]:8080')).toEqual([]);
    expect(from('http://127.0.0.1:8080')).toHaveLength(1);
  });

  it('reports how many clients fit, and runs that many if allowed', () => {
    const tooMany = { ...REQUESTED, clients: 9_000_000 };
    const { refusal } = fitPlan(tooMany, MACHINE, HERE);
    const most = Number(/use --clients (\d+) or fewer/.exec(refusal ?? '')?.[1]);
    expect(most).toBeGreaterThan(500_000);
    expect(fitPlan({ ...REQUESTED, clients: most }, MACHINE, HERE).refusal).toBeUndefined();
    expect(fitPlan({ ...REQUESTED, clients: most + 1 }, MACHINE, HERE).refusal).toBeDefined();
    const { plan } = fitPlan({ ...tooMany, mayShrink: true }, MACHINE, HERE);
    expect(plan.clients).toBe(most);
    expect(planText(plan)).toContain('fewer than the 9,000,000 requested: as many as fit');
  });

  it('keeps the requested memory free, or by default a part that suits the machine', () => {
    const kept = (more: object, memoryBytes: number) =>
      fitPlan({ ...REQUESTED, keepFreeBytes: undefined, ...more }, { ...MACHINE, memoryBytes }, HERE).plan
        .keepFreeBytes;
    expect(kept({}, 24 * GIB)).toBe(GIB);
    expect(kept({}, GIB)).toBe(GIB / 10);
    expect(kept({ keepFreeBytes: 0 }, GIB)).toBe(0);
  });

  it('refuses if not even one client fits', () => {
    const full = { ...MACHINE, availableBytes: GIB };
    expect(fitPlan({ ...REQUESTED, mayShrink: true }, full, HERE).refusal).toMatch(/not even one/);
  });

  it('fits a million clients on a machine with two cores and 24 GiB', () => {
    const { plan, refusal } = fitPlan({ ...REQUESTED, clients: 1_000_000 }, MACHINE, HERE);
    expect(refusal).toBeUndefined();
    expect(planText(plan)).toMatch(/^ {2}1,000,000 clients in \d+ processes of 17,\d+\n {2}source addresses: 127\./);
  });

  it('reports a limit that may be exceeded, and runs all clients', () => {
    const { plan, refusal } = fitPlan({ ...REQUESTED, clients: 1_000_000 }, MACHINE, HERE);
    expect(refusal).toBeUndefined();
    expect(planText(plan)).toMatch(
      /LIMIT EXCEEDED: 575,796 clients, .*tcp_mem.*; beyond it, clients are notified later.*\n.*tcp_mem\n.*next limit/,
    );
  });

  it('has no limits if none can be read', () => {
    const blind = { filesPerProcess: Number.POSITIVE_INFINITY, files: Number.POSITIVE_INFINITY };
    const { plan, refusal } = fitPlan({ ...REQUESTED, clients: 30_000 }, { ...MACHINE, ...blind }, HERE);
    expect(refusal).toBeUndefined();
    expect(sum(plan.processes)).toBe(30_000);
  });
});
