import type { Clock, Timer } from '../../shared/clock.ts';
import type { AttributeValue, ProcessRecord, SpanRecord, TopicList, TracePart } from '../store/records.ts';
import { type StatsStore, WANTED_TOPICS } from '../store/stats-store.ts';
import type { CallCounts } from './call-counts.ts';
import { ClockSkew } from './clock-skew.ts';
import type { EpochClock } from './epoch-clock.ts';
import type { CollectorReport, SpanCollector } from './span-collector.ts';

const INTERVAL_MS = 1000;
/** Number of writes at the start, to estimate the clock skew from more than one answer. */
const INITIAL_WRITES = 5;
/** Most spans that wait for the next report, and most in one part, so that no part exceeds the limit of a trace. */
const MAX_SPANS = 5000;
const MAX_SPANS_OF_PART = 200;
/** Most lists of topics in a report, and topics in a list. */
const MAX_TOPIC_LISTS = 4;
const MAX_LISTED_TOPICS = 100;

/** Events of the reporter and the collector, for metrics. */
export interface StoreReport extends CollectorReport {
  stored(size: { readonly traces: number; readonly bytes: number }): void;
  storeFailed(): void;
}

/** Returns at most `limit` topics that contain a text: those with the most subscribers. */
export type ListTopics = (search: string, limit: number) => TopicList;

/** Identity of this process. */
export type ProcessIdentity = Pick<ProcessRecord, 'process' | 'host' | 'pid' | 'startedAtMs'>;

/**
 * Writes the kept spans, the counts and the state of this process to the store once a second. If the store does not
 * accept them they are dropped: nothing waits for statistics.
 */
export class Reporter {
  readonly #identity: ProcessIdentity;
  readonly #store: StatsStore;
  readonly #counts: CallCounts;
  readonly #clock: Clock;
  readonly #epoch: EpochClock;
  readonly #report: StoreReport;
  readonly #skew = new ClockSkew();
  readonly #services = new Map<string, () => Readonly<Record<string, AttributeValue>>>();
  #listTopics: ListTopics | undefined;
  #wantedTopics: readonly string[] = [];
  readonly #wantedListeners: ((traceId: string) => void)[] = [];
  #kept = new Map<string, SpanRecord[]>();
  #spans = 0;
  #lastWanted = new Set<string>();
  #timer: Timer | undefined;
  #writing: Promise<void> | undefined;
  #stopped = false;

  constructor(deps: {
    identity: ProcessIdentity;
    store: StatsStore;
    counts: CallCounts;
    clock: Clock;
    epoch: EpochClock;
    report: StoreReport;
  }) {
    this.#identity = deps.identity;
    this.#store = deps.store;
    this.#counts = deps.counts;
    this.#clock = deps.clock;
    this.#epoch = deps.epoch;
    this.#report = deps.report;
  }

  /** Adds a service to the record of this process; `facts` returns its current state. */
  addService(
    service: string,
    { facts, topics }: { facts: () => Readonly<Record<string, AttributeValue>>; topics: ListTopics | undefined },
  ): void {
    this.#services.set(service, facts);
    this.#listTopics ??= topics;
  }

  /** Registers a callback for traces that another process keeps and wants the rest of. */
  onWanted(listener: (traceId: string) => void): void {
    this.#wantedListeners.push(listener);
  }

  /** Adds spans to the next report; drops those over the limit. */
  keep(traceId: string, spans: readonly SpanRecord[]): void {
    const room = Math.max(0, MAX_SPANS - this.#spans);
    if (spans.length > room) this.#report.spansDropped(spans.length - room, 'limit');
    const taken = spans.slice(0, room);
    this.#spans += taken.length;
    const known = this.#kept.get(traceId);
    if (known) known.push(...taken);
    else if (taken.length > 0) this.#kept.set(traceId, taken);
  }

  /** Starts to report. Resolves after the first writes. */
  async start(collector: SpanCollector): Promise<void> {
    await this.#store.start();
    for (let i = 0; i < INITIAL_WRITES && !this.#stopped; i += 1) await this.#write(collector);
    this.#schedule(collector);
  }

  /** Writes the remaining spans, once, and closes the store. */
  async stop(collector: SpanCollector): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#timer?.cancel();
    await this.#writing;
    if (this.#spans > 0) await this.#write(collector);
    await this.#store.stop();
  }

  #schedule(collector: SpanCollector): void {
    if (this.#stopped) return;
    this.#timer = this.#clock.after(INTERVAL_MS * (0.9 + 0.2 * this.#clock.random()), () => {
      this.#writing = this.#write(collector).then(() => this.#schedule(collector));
    });
  }

  async #write(collector: SpanCollector): Promise<void> {
    const [kept, spans] = [this.#kept, this.#spans];
    this.#kept = new Map();
    this.#spans = 0;
    const sentUs = this.#epoch.nowMs() * 1000;
    try {
      const { nowUs, wanted, ...size } = await this.#store.write({
        process: this.#identity.process,
        record: JSON.stringify(this.#record()),
        calls: this.#counts.take(),
        parts: [...kept].flatMap(([traceId, list]) => this.#serialize(list).map((text) => ({ traceId, text }))),
        wanted: collector.takeWanted(),
      });
      this.#skew.addSample(nowUs, sentUs, this.#epoch.nowMs() * 1000);
      this.#report.stored(size);
      this.#notifyWanted(wanted);
    } catch {
      this.#report.storeFailed();
      if (spans > 0) this.#report.spansDropped(spans, 'store');
    }
  }

  #notifyWanted(wanted: readonly string[]): void {
    const topics = wanted.filter((id) => id.startsWith(WANTED_TOPICS)).slice(-MAX_TOPIC_LISTS);
    this.#wantedTopics = topics.map((id) => id.slice(WANTED_TOPICS.length));
    for (const traceId of wanted) {
      if (this.#lastWanted.has(traceId)) continue;
      for (const listener of this.#wantedListeners) listener(traceId);
    }
    this.#lastWanted = new Set(wanted);
  }

  #serialize(spans: readonly SpanRecord[]): string[] {
    const texts: string[] = [];
    for (let i = 0; i < spans.length; i += MAX_SPANS_OF_PART) {
      const part: TracePart = {
        process: this.#identity.process,
        ...this.#skew.estimate,
        spans: spans.slice(i, i + MAX_SPANS_OF_PART),
      };
      texts.push(JSON.stringify(part));
    }
    return texts;
  }

  #record(): ProcessRecord {
    const facts = [...this.#services.values()].map((factsOf) => factsOf());
    const services = [...this.#services.keys()];
    return {
      ...this.#identity,
      services,
      ...this.#skew.estimate,
      facts: Object.assign({}, ...facts),
      topicLists: this.#topicLists(),
    };
  }

  #topicLists(): Readonly<Record<string, TopicList>> {
    const list = this.#listTopics;
    if (!list) return {};
    return Object.fromEntries(this.#wantedTopics.map((search) => [search, list(search, MAX_LISTED_TOPICS)]));
  }
}
