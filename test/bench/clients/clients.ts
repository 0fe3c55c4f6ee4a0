import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { Latency } from '../../../services/loadtest/measure/latency.ts';
import { endProcess } from '../../support/bound-process.ts';
import type { ClientPlan, ClientRequest, ClientResponse, RequestEnvelope } from './messages.ts';

const RESPONSE_TIMEOUT_MS = 120_000;

/** Clients in a child process. */
export class Clients {
  readonly #child: ChildProcess;
  readonly #pending = new Map<number, (response: ClientResponse) => void>();
  #lastId = 0;
  #expected = 0;

  /** @param caFile file of a certificate that the clients trust */
  constructor(caFile?: string) {
    this.#child = fork(fileURLToPath(new URL('client-process.ts', import.meta.url)), {
      env: { ...process.env, ...(caFile === undefined ? {} : { NODE_EXTRA_CA_CERTS: caFile }) },
    });
    this.#child.on('message', (response: ClientResponse) => {
      this.#pending.get(response.id)?.(response);
      this.#pending.delete(response.id);
    });
    this.#child.on('exit', () => {
      for (const [id, resolve] of this.#pending) resolve({ id, failure: 'the client process has exited' });
    });
  }

  /** Connects the clients of a plan; resolves once all of them are subscribed. */
  async connect(plan: ClientPlan): Promise<void> {
    await this.#request({ type: 'connect', plan });
  }

  /** Resolves once all clients are subscribed, also after their relay was lost. */
  async ready(): Promise<void> {
    await this.#request({ type: 'ready' });
  }

  /** Resolves once `updates` further updates have been received. */
  async receive(updates: number): Promise<void> {
    this.#expected += updates;
    await this.#request({ type: 'receive', updates: this.#expected });
  }

  /**
   * Returns the number of updates since the previous call and their ages in milliseconds. Updates that arrive later count
   * as further ones.
   */
  async takeAges(): Promise<{ updates: number; ages: Latency }> {
    const { ages: { updates = 0, total = 0, histogram } = {} } = await this.#request({ type: 'ages' });
    this.#expected = total;
    const ages = new Latency();
    ages.add(histogram);
    return { updates, ages };
  }

  async disconnect(): Promise<void> {
    await this.#request({ type: 'disconnect' });
  }

  stop(): Promise<void> {
    return endProcess(this.#child);
  }

  async #request(request: ClientRequest): Promise<ClientResponse> {
    this.#lastId += 1;
    const id = this.#lastId;
    const response = await new Promise<ClientResponse>((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`the client process did not respond to ${request.type}`)),
        RESPONSE_TIMEOUT_MS,
      );
      this.#pending.set(id, (result) => {
        clearTimeout(timer);
        resolve(result);
      });
      this.#child.send({ id, request } satisfies RequestEnvelope);
    });
    if (response.failure !== undefined) throw new Error(response.failure);
    return response;
  }
}
