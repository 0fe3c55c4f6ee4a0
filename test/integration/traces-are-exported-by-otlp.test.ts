import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { expectInTime, startStopwatch } from '../support/elapsed.ts';
import { eventually } from '../support/eventually.ts';
import { type OtlpReceiver, type ReceivedSpan, startOtlpReceiver } from '../support/otlp-receiver.ts';
import { type ServiceProcess, startService } from '../support/service-process.ts';
import { startStatsCluster } from '../support/stats-cluster.ts';

let receiver: OtlpReceiver;
beforeEach(async () => {
  receiver = await startOtlpReceiver();
});
afterEach(() => receiver.stop());

/** Returns the names of the spans of a trace as a tree, ordered by start. */
function treeOf(spans: readonly ReceivedSpan[], parentSpanId = ''): unknown[] {
  return spans
    .filter((span) => span.parentSpanId === parentSpanId)
    .sort((one, other) => one.startMs - other.startMs || one.endMs - other.endMs)
    .map(({ service, name, spanId }) => {
      const parts = treeOf(spans, spanId);
      return parts.length === 0 ? `${service}: ${name}` : { [`${service}: ${name}`]: parts };
    });
}

describe('a tracing system', () => {
  it('receives the spans of one update from four processes, with their parents in place', async () => {
    const cluster = await startStatsCluster({
      redisUrl: inject('redisUrl'),
      relays: 2,
      env: {
        STATS_TOKEN: '',
        STATS_SAMPLE_RATE: '1',
        OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
        OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
      },
    });
    try {
      await cluster.write('Hello');
      const deliver = {
        'relay: deliver': ['relay: merge', 'relay: deliver, websocket'],
      };
      const tree = [
        {
          'chat: POST /comments': [
            'chat: save',
            {
              [`chat: POST 127.0.0.1:${cluster.webhook.port}`]: [
                {
                  'webhook: POST /webhook': [
                    'webhook: verify',
                    'redis: load response',
                    { 'redis: publish': [deliver, deliver] },
                    'redis: store response',
                  ],
                },
              ],
            },
          ],
        },
      ];
      await eventually(() => expect(treeOf(receiver.spans)).toEqual(tree));
      expect(new Set(receiver.spans.map(({ traceId }) => traceId)).size).toBe(1);
      expect(new Set(receiver.spans.map(({ process }) => process)).size).toBe(4);
      for (const { name, startMs, endMs } of receiver.spans) {
        expect(endMs, name).toBeGreaterThanOrEqual(startMs);
        expect(Math.abs(startMs - Date.now()), name).toBeLessThan(60_000);
      }
      const page = await fetch(`http://127.0.0.1:${cluster.webhook.adminPort}/stats`);
      expect(page.status).toBe(404);
    } finally {
      await cluster.stop();
    }
  });

  it('receives only samples, by protobuf by default, under the service name of the environment', async () => {
    const env = {
      REDIS_URL: inject('redisUrl'),
      WEBHOOK_TOKENS: 'a-token-of-the-tests',
      OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
      OTEL_SERVICE_NAME: 'our-webhook',
      STATS_SAMPLE_RATE: '0.000000001',
    };
    const webhook: ServiceProcess = await startService('webhook', env);
    const traceId = '0af7651916cd43dd8448eb211c80319c';
    const call = (topic: string, flags: string) =>
      fetch(`http://127.0.0.1:${webhook.port}/webhook`, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          authorization: 'Bearer a-token-of-the-tests',
          traceparent: `00-${traceId}-b7ad6b7169203331-${flags}`,
        },
        body: JSON.stringify({ topic }),
      });
    expect((await call('not-a-sample', '00')).status).toBe(200);
    expect((await call('sampled-by-its-caller', '01')).status).toBe(200);
    await webhook.stop(); // exports the remaining spans
    expect(receiver.requests.map(({ path, type }) => [path, type])).toEqual([['/v1/traces', 'application/x-protobuf']]);
    const [{ body } = { body: Buffer.of() }] = receiver.requests;
    expect(body.includes(Buffer.from(traceId, 'hex'))).toBe(true);
    expect(body.includes('our-webhook')).toBe(true);
    expect(body.includes('sampled-by-its-caller')).toBe(true);
    expect(body.includes('not-a-sample')).toBe(false);
  });

  it('does not delay the end of a process if it never answers', async () => {
    const sockets = new Set<Socket>();
    const silent = createServer((socket) => void sockets.add(socket)).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const { port } = silent.address() as AddressInfo;
    const webhook = await startService('webhook', {
      REDIS_URL: inject('redisUrl'),
      WEBHOOK_TOKENS: 'a-token-of-the-tests',
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`,
      STATS_SAMPLE_RATE: '1',
    });
    const headers = { 'content-type': 'application/json', authorization: 'Bearer a-token-of-the-tests' };
    const call = { method: 'POST', headers, body: '{"topic":"chat"}' };
    expect((await fetch(`http://127.0.0.1:${webhook.port}/webhook`, call)).status).toBe(200);
    await eventually(() => expect(sockets.size).toBeGreaterThan(0));
    const stopwatch = startStopwatch();
    expect(await webhook.stop()).toBe(0);
    expectInTime(stopwatch.stop(), 9000); // the exporter alone would wait 10 s for each answer
    for (const socket of sockets) socket.destroy();
    silent.close();
  });
});
