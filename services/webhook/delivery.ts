import type { DeliveryReceipt, ReceiptReply, RelayMembership } from '../shared/broker/receipts.ts';
import type { PublishedTopic } from './cluster-publisher.ts';

/**
 * How far a relay is with an update. `delivered`: it has handed it over, or a newer one of the topic. `idle`: nobody
 * there listens to the topic. `pending`: somebody does, and has not been told yet. `silent`: the relay has said within
 * the last ten seconds that it is there, and does not answer.
 */
export type RelayState = 'delivered' | 'idle' | 'pending' | 'silent';

/** How far one relay is, with what it has answered where it knows the topic. */
export type RelayReceipt = { readonly relay: string; readonly state: RelayState } & Partial<DeliveryReceipt>;

/** How far all relays are with one update. */
export interface UpdateReceipt extends PublishedTopic {
  /** Whether every relay has handed it over, or has nobody to hand it to. */
  readonly delivered: boolean;
  /** By name. */
  readonly relays: readonly RelayReceipt[];
}

/** How far all relays are with several updates. */
export interface Delivery {
  readonly delivered: boolean;
  readonly receipts: readonly UpdateReceipt[];
  /** How many more relays there may be, where the census is not complete. */
  readonly missing?: number;
}

/** Judges the answers of relays: they are aligned with the updates. Whoever answers counts, in the census or not. */
export function judgeDelivery(
  updates: readonly PublishedTopic[],
  census: RelayMembership,
  answers: ReadonlyMap<string, ReceiptReply>,
): Delivery {
  const names = [...new Set([...census.relays, ...answers.keys()])].sort();
  const receipts = updates.map(({ topic, version }, i) => {
    const relays = names.map((relay) => {
      const answer = answers.get(relay);
      if (!answer) return { relay, state: 'silent' as const };
      const receipt = answer[i];
      return { relay, state: judge(version, receipt), ...receipt };
    });
    const delivered = census.missing === 0 && relays.every(({ state }) => state === 'delivered' || state === 'idle');
    return { topic, version, delivered, relays };
  });
  return {
    delivered: receipts.every(({ delivered }) => delivered),
    receipts,
    ...(census.missing > 0 ? { missing: census.missing } : {}),
  };
}

function judge(asked: number, receipt: DeliveryReceipt | undefined): RelayState {
  if (!receipt || receipt.told + receipt.listening === 0) return 'idle';
  if (receipt.version >= asked) return 'delivered';
  return receipt.listening === 0 ? 'idle' : 'pending';
}
