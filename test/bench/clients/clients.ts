import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { Latency } from '../../../services/loadtest/measure/latency.ts';
import { endProcess } from '../../support/bound-process.ts';
import type { ClientPlan, ClientRequest, ClientResponse, RequestEnvelope } from './messages.ts';

const ANSWER_TIMEOUT_MS = 120_000;

/** Clients, in a process of their own. */
export class Clients {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, (answer: ClientResponse) => void>();
  #asked = 0;
  #expected = 0;

  constructor() {
    this.#child = fork(fileURLToPath(new URL('client-process.ts', import.meta.url)));
    this.#child.on('message', (answer: ClientResponse) => {
      this.#waiting.get(answer.id)?.(answer);
      this.#waiting.delete(answer.id);
    });
    this.#child.on('exit', () => {
      for (const [id, answered] of this.#waiting) answered({ id, failure: 'the process of the clients has ended' });
    });
  }

  /** Connects so many more, as the plan says; resolves once all of them listen. */
  async connect(plan: ClientPlan): Promise<void> {
    await this.#ask({ type: 'connect', plan });
  }

  /** Resolves once so many updates have come, beside those that were waited for before. */
  async receive(updates: number): Promise<void> {
    this.#expected += updates;
    await this.#ask({ type: 'receive', updates: this.#expected });
  }

  /** What came since the last time: how much, and how old it was. */
  async takeAges(): Promise<{ updates: number; ages: Latency }> {
    const { ages: { updates = 0, histogram } = {} } = await this.#ask({ type: 'ages' });
    const ages = new Latency();
    ages.add(histogram);
    return { updates, ages };
  }

  async disconnect(): Promise<void> {
    await this.#ask({ type: 'disconnect' });
  }

  stop(): Promise<void> {
    return endProcess(this.#child);
  }

  async #ask(question: ClientRequest): Promise<ClientResponse> {
    this.#asked += 1;
    const id = this.#asked;
    const answer = await new Promise<ClientResponse>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`clients do not get done: ${question.type}`)), ANSWER_TIMEOUT_MS);
      this.#waiting.set(id, (answer) => {
        clearTimeout(timer);
        resolve(answer);
      });
      this.#child.send({ id, question } satisfies RequestEnvelope);
    });
    if (answer.failure !== undefined) throw new Error(answer.failure);
    return answer;
  }
}
