import { context, type Span, type Tracer } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { defaultResource, detectResources, envDetector, resourceFromAttributes } from '@opentelemetry/resources';
import { type ReadableSpan, type SpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import type { EpochClock } from './epoch-clock.ts';
import { FetchCalls } from './fetch-calls.ts';
import { LightSpan, type LightTrace } from './light-span.ts';
import { RecordingTracer } from './recording-tracer.ts';

/** For so long the end of a process waits for a tracing system to take the last spans. */
const LAST_SPANS_MS = 2000;

/** Records spans for the services of one process: samples with OpenTelemetry's SDK, everything else lightly. */
export class Recorder {
  readonly #provider: TracerProvider;
  readonly #isSample: () => boolean;
  readonly #traceOf: (id: string | undefined) => LightTrace | undefined;
  readonly #epoch: EpochClock;
  readonly #tracers = new Map<string, Tracer>();
  readonly #fetchCalls = new FetchCalls({ tracerOf: (parent) => this.#tracerOf(parent) });
  #followsCalls = false;

  /** `traceOf` finds or begins the trace of what is no sample. */
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
      // What the environment says (OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES) counts more than what we say.
      resource: defaultResource()
        .merge(own)
        .merge(detectResources({ detectors: [envDetector] })),
      spanProcessors: deps.processors,
    });
  }

  /** The tracer of a service. */
  tracer(service: string): Tracer {
    const known = this.#tracers.get(service);
    if (known) return known;
    const samples = this.#provider.getTracer(service);
    const [isSample, traceOf, clock] = [this.#isSample, this.#traceOf, this.#epoch];
    const tracer = new RecordingTracer({ service, samples, isSample, traceOf, clock });
    this.#tracers.set(service, tracer);
    return tracer;
  }

  /** From now on whatever is done for a request is known to be, also a `fetch`: it costs every promise a little. */
  followCalls(): void {
    if (this.#followsCalls) return;
    this.#followsCalls = true;
    // OpenTelemetry's API knows one way only to pass on what is being recorded: for the whole process. Where an app
    // has set one before, that one stays.
    context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
    this.#fetchCalls.start();
  }

  async stop(): Promise<void> {
    if (this.#followsCalls) this.#fetchCalls.stop();
    // A tracing system that cannot be reached, or does not answer, holds nothing up.
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, LAST_SPANS_MS);
    });
    await Promise.race([this.#provider.shutdown().catch(() => {}), late]);
    clearTimeout(timer);
  }

  #tracerOf(parent: Span): Tracer | undefined {
    const service =
      parent instanceof LightSpan ? parent.service : (parent as Partial<ReadableSpan>).instrumentationScope?.name;
    return service === undefined ? undefined : this.#tracers.get(service);
  }
}
