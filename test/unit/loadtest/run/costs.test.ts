import { describe, expect, it } from 'vitest';
import { readServerFigures, sumOf } from '../../../../services/loadtest/cluster/server-metrics.ts';
import {
  busiestRelayCpu,
  clientCpuPerDeliveryUs,
  kernelPerClientBytes,
  relaysMeanMs,
  serverCost,
  testCpu,
} from '../../../../services/loadtest/run/costs.ts';
import { createHttpServer } from '../../../../services/shared/http/http-server.ts';

const figures = (cpuS: number, residentBytes: number, deliveries: number, cpuPerRelayS = [cpuS]) => ({
  ...{ cpuS, residentBytes, deliveries, conflated: 1, fellBehind: 2, cpuPerRelayS },
  ...{ fanouts: 0, current: [{ share: 1, count: deliveries, sumS: cpuS }] },
});

describe('the cost of relays', () => {
  const servers = {
    before: figures(1, 100_000, 0),
    connected: figures(10, 300_000, 50, [4, 6]),
    after: { ...figures(12, 310_000, 1050, [4.5, 7.5]), conflated: 5 },
  };

  it('has beside it the mean time until subscribers were current, of the updates that this test published', () => {
    const counted = figures(15, 0, 100);
    expect(relaysMeanMs({ ...servers, counted }, 1)).toBe(100);
    expect(relaysMeanMs({ ...servers, counted }, 0.5)).toBeUndefined();
    expect(relaysMeanMs(servers, 1)).toBeUndefined();
  });

  it('is CPU per delivery while updates are published, and memory per idle client', () => {
    expect(serverCost(servers, 10_000)).toEqual({
      cpuPerDeliveryUs: 2000,
      memoryPerClientBytes: 20,
      residentBytes: 300_000,
      conflated: 4,
      fellBehind: 0,
    });
    expect(busiestRelayCpu(servers, 2)).toBe(0.75);
  });

  it('is unknown if a relay did not report it or nothing was delivered', () => {
    expect(serverCost({ connected: servers.connected }, 100)).toMatchObject({
      cpuPerDeliveryUs: undefined,
      residentBytes: 300_000,
    });
    expect(
      serverCost({ connected: servers.connected, after: servers.connected }, 100).cpuPerDeliveryUs,
    ).toBeUndefined();
    expect(serverCost(servers, 100).memoryPerClientBytes).toBeUndefined(); // too few clients
    expect(busiestRelayCpu({}, 2)).toBeUndefined();
  });

  it('is read from metrics, summed over labels', async () => {
    const text =
      'relay_connections{transport="a"} 2\nrelay_connections{transport="b"} 3\nrelay_connections_total 9\n# x 1\n';
    expect(sumOf(text, 'relay_connections')).toBe(5);
    expect(sumOf(text, 'relay')).toBeUndefined();
    const server = createHttpServer({
      host: '127.0.0.1',
      port: 0,
      handler: (_, res) => void res.end('process_cpu_seconds_total 2.5\nprocess_resident_memory_bytes 7\n'),
    });
    const url = `http://127.0.0.1:${await server.start()}/metrics`;
    try {
      expect(await readServerFigures([url, url], 5000)).toMatchObject({
        cpuS: 5,
        residentBytes: 14,
        deliveries: undefined,
      });
      expect(await readServerFigures([url, 'http://127.0.0.1:1/'], 5000)).toMatchObject({ cpuS: undefined });
      expect(await readServerFigures([], 5000)).toBeUndefined();
    } finally {
      await server.stop();
    }
  });
});

describe('the cost of clients', () => {
  it('is the CPU of their processes, per delivery and as a share of the machine', () => {
    const clientCpuS = { connected: 1, after: 3 };
    expect(clientCpuPerDeliveryUs(clientCpuS, 1000)).toBe(2000);
    expect(clientCpuPerDeliveryUs({ connected: 1 }, 1000)).toBeUndefined();
    expect(testCpu({ servers: undefined, clientCpuS, durationS: 4, cpus: 2 })).toBe(0.25);
    const servers = { connected: figures(1, 0, 0), after: figures(3, 0, 0) };
    expect(testCpu({ servers, clientCpuS, durationS: 4, cpus: 2 })).toBe(0.5);
    expect(testCpu({ servers: {}, clientCpuS, durationS: 4, cpus: 2 })).toBeUndefined();
  });

  it('is the memory of the kernel, if there are enough clients', () => {
    expect(kernelPerClientBytes({ before: 1e6, connected: 11e6 }, 10_000)).toBe(1000);
    expect(kernelPerClientBytes({ before: 1e6, connected: 11e6 }, 100)).toBeUndefined();
    expect(kernelPerClientBytes({ before: undefined, connected: 11e6 }, 10_000)).toBeUndefined();
    expect(kernelPerClientBytes(undefined, 10_000)).toBeUndefined();
  });
});
