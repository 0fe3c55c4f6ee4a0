import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A received span. */
export interface ReceivedSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string;
  readonly name: string;
  readonly service: string;
  /** The id of the process that sent it. */
  readonly process: string;
  readonly startMs: number;
  readonly endMs: number;
}

/** Everything that a tracing system would receive. */
export interface OtlpReceiver {
  readonly url: string;
  /** The spans received as JSON. */
  readonly spans: readonly ReceivedSpan[];
  /** All requests, with their paths, media types and bodies. */
  readonly requests: readonly { readonly path: string; readonly type: string; readonly body: Buffer }[];
  stop(): Promise<void>;
}

/** Starts a server that receives spans by OTLP over HTTP (https://opentelemetry.io/docs/specs/otlp/). */
export async function startOtlpReceiver(): Promise<OtlpReceiver> {
  const spans: ReceivedSpan[] = [];
  const requests: { path: string; type: string; body: Buffer }[] = [];
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const { url = '', headers } = request;
    requests.push({ path: url, type: headers['content-type'] ?? '', body: Buffer.concat(chunks) });
    if (headers['content-type'] === 'application/json') spans.push(...read(JSON.parse(String(Buffer.concat(chunks)))));
    response.setHeader('content-type', headers['content-type'] ?? '');
    response.end(headers['content-type'] === 'application/json' ? '{}' : '');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    spans,
    requests,
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

// biome-ignore lint/suspicious/noExplicitAny: unvalidated JSON
function read(message: any): ReceivedSpan[] {
  const spans: ReceivedSpan[] = [];
  for (const { resource, scopeSpans } of message.resourceSpans) {
    const attributes: { key: string; value: { stringValue: string } }[] = resource.attributes;
    const process = attributes.find(({ key }) => key === 'service.instance.id')?.value.stringValue ?? '';
    for (const { scope, spans: list } of scopeSpans) {
      for (const span of list) {
        spans.push({
          traceId: span.traceId,
          spanId: span.spanId,
          parentSpanId: span.parentSpanId ?? '',
          name: span.name,
          service: scope.name,
          process,
          startMs: Number(span.startTimeUnixNano) / 1e6,
          endMs: Number(span.endTimeUnixNano) / 1e6,
        });
      }
    }
  }
  return spans;
}
