import { context, type Span, type Tracer } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { defaultResource, detectResources, envDetector, resourceFromAttributes } from '@opentelemetry/resources';
import { type ReadableSpan, type SpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import type { EpochClock } from './epoch-clock.ts';
import { FetchCalls } from './fetch-calls.ts';
import { LightSpan, type LightTrace } from './light-span.ts';
import { RecordingTracer } from './recording-tracer.ts';

/** How long `stop` waits for a tracing system to accept the last spans. */
const LAST_EXPORT_MS = 2000;

/** Creates the tracers of one process: samples are SDK spans, all others light spans. */
export class Recorder {
  readonly #provider: TracerProvider;
  readonly #isSample: () => boolean;
  readonly #traceOf: (id: string | undefined) => LightTrace | undefined;
  readonly #epoch: EpochClock;
  readonly #tracers = new Map<string, Tracer>();
  readonly #fetchCalls = new FetchCalls({ tracerOf: (parent) => this.#tracerOf(parent) });
  #followsCalls = false;

  /**
   * @param deps.isSample decides for a trace that no other process has decided about
   * @param deps.traceOf returns the trace of an unsampled span; undefined if it shall not be recorded
   */
  constructor(deps: {
    name: string;
    instance: string;
    isSample: () => boolean;
    traceOf: (id: string | undefined) => LightTrace | undefined;
    processors: SpanProcessor[];
    epoch: EpochClock;
  }) {
    const own = resourceFromAttributes({ 'service.name': deps.name, 'service.instance.id': deps.instance });
    this.#isSample = deps.isSample;
    this.#traceOf = deps.traceOf;
    this.#epoch = deps.epoch;
    this.#provider = new TracerProvider({
      // OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES override these.
      resource: defaultResource()
        .merge(own)
        .merge(detectResources({ detectors: [envDetector] })),
      spanProcessors: deps.processors,
    });
  }

  /** Returns the tracer of a service. */
  tracer(service: string): Tracer {
    const known = this.#tracers.get(service);
    if (known) return known;
    const samples = this.#provider.getTracer(service);
    const [isSample, traceOf, clock] = [this.#isSample, this.#traceOf, this.#epoch];
    const tracer = new RecordingTracer({ service, samples, isSample, traceOf, clock });
    this.#tracers.set(service, tracer);
    return tracer;
  }

  /** Propagates the context of requests through promises, and records their `fetch` calls. It costs every promise a little. */
  followCalls(): void {
    if (this.#followsCalls) return;
    this.#followsCalls = true;
    // The context manager is global in OpenTelemetry's API. If the app has set one before, that one stays.
    context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
    this.#fetchCalls.start();
  }

  async stop(): Promise<void> {
    if (this.#followsCalls) this.#fetchCalls.stop();
    // A tracing system that does not answer must not delay the end of the process.
    let timer: ReturnType<typeof setTimeout> | undefined;
    const timeout = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, LAST_EXPORT_MS);
    });
    await Promise.race([this.#provider.shutdown().catch(() => {}), timeout]);
    clearTimeout(timer);
  }

  #tracerOf(parent: Span): Tracer | undefined {
    const service =
      parent instanceof LightSpan ? parent.service : (parent as Partial<ReadableSpan>).instrumentationScope?.name;
    return service === undefined ? undefined : this.#tracers.get(service);
  }
}
