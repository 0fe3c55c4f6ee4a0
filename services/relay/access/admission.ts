import { AppError } from '../../shared/errors.ts';
import type { HostRule } from '../../shared/http/allowed-hosts.ts';
import type { ClientAddressReader } from '../../shared/http/client-address.ts';
import type { TransportName } from '../../shared/protocol/transport-name.ts';
import { TokenBucket } from '../../shared/token-bucket.ts';
import type { Admission, Caller } from '../transport/transport.ts';
import type { Origins } from './origins.ts';

/** Limits of connections; 0 disables a limit. */
export interface AdmissionLimits {
  readonly maxConnections: number;
  readonly maxConnectionsPerAddress: number;
  /** Points of new connections per second, which is also the burst: one for each, or for each of its topics. */
  readonly connectionPointsPerSecond: number;
}

/** The connections that a full relay may close to admit a new one. */
export interface EvictionPool {
  readonly canEvict: boolean;
  evict(): void;
}

/** Admission control, applied before the upgrade: a refused connection costs no session. */
export class ConnectionAdmission implements Admission {
  readonly #limits: AdmissionLimits;
  readonly #origins: Origins;
  readonly #readAddress: ClientAddressReader;
  readonly #isAllowedHost: HostRule;
  readonly #evictionPool: EvictionPool;
  readonly #isFresh: () => boolean;
  readonly #isAboveShare: () => boolean;
  readonly #perAddress = new Map<string, number>();
  #connections = 0;
  #draining = false;
  readonly #rate: TokenBucket | undefined;

  /** @param deps.isAboveShare whether clients that have tries left should connect to another relay */
  constructor(deps: {
    limits: AdmissionLimits;
    origins: Origins;
    readAddress: ClientAddressReader;
    isAllowedHost: HostRule;
    evictionPool: EvictionPool;
    isFresh: () => boolean;
    isAboveShare: () => boolean;
    nowMs: () => number;
  }) {
    this.#limits = deps.limits;
    this.#origins = deps.origins;
    this.#readAddress = deps.readAddress;
    this.#isAllowedHost = deps.isAllowedHost;
    this.#evictionPool = deps.evictionPool;
    this.#isFresh = deps.isFresh;
    this.#isAboveShare = deps.isAboveShare;
    const perSecond = deps.limits.connectionPointsPerSecond;
    this.#rate = perSecond === 0 ? undefined : new TokenBucket({ perSecond, nowMs: deps.nowMs });
  }

  /** Admitted connections that are open. */
  get connections(): number {
    return this.#connections;
  }

  /** Refuses all further connections with `draining`. */
  drain(): void {
    this.#draining = true;
  }

  admit(caller: Caller, transport: TransportName, topics: number): string {
    const { maxConnections, maxConnectionsPerAddress } = this.#limits;
    const { origin, host } = caller;
    if (!this.#isAllowedHost(host)) throw new AppError('host_forbidden');
    if (!this.#origins.mayConnect(origin, host)) {
      throw new AppError('origin_forbidden', undefined, { cause: { origin, host } });
    }
    if (this.#draining) throw new AppError('draining');
    // It cannot resume: a stale relay does not know what it missed, and could not say that it is stale.
    if (transport === 'legacy' && !this.#isFresh()) throw new AppError('not_fresh');
    // Before all limits: the client goes on to another relay at once.
    if (caller.triesLeft > 0 && this.#isAboveShare()) throw new AppError('rebalancing');
    const isFull = maxConnections > 0 && this.#connections >= maxConnections;
    if (isFull && !this.#evictionPool.canEvict) throw new AppError('relay_full');
    const key = maxConnectionsPerAddress === 0 ? '' : this.#readAddress(caller.address, caller.forwardedFor);
    const held = key === '' ? 0 : (this.#perAddress.get(key) ?? 0);
    if (key !== '' && held >= maxConnectionsPerAddress) throw new AppError('too_many_connections');
    // Last: connections that are refused for another reason must not use up the rate.
    if (!this.admitTopics(Math.max(1, topics))) throw new AppError('connecting_too_fast');
    if (isFull) this.#evictionPool.evict();
    // Read again: the evicted connection may have had the same address.
    if (key !== '') this.#perAddress.set(key, (this.#perAddress.get(key) ?? 0) + 1);
    this.#connections += 1;
    return key;
  }

  /** Charges topics to the rate of new connections, as for a message that subscribes to them. Returns false if that is used up. */
  admitTopics(topics: number): boolean {
    if (topics > 0 && this.#rate?.isEmpty) return false;
    this.#rate?.take(topics);
    return true;
  }

  release(key: string): void {
    this.#connections -= 1;
    if (key === '') return;
    const left = (this.#perAddress.get(key) ?? 1) - 1;
    if (left > 0) this.#perAddress.set(key, left);
    else this.#perAddress.delete(key);
  }
}
