import type { DeliveryReceipt, ReceiptReply, RelayMembership } from '../shared/broker/receipts.ts';
import type { Version } from '../shared/update/update.ts';
import type { PublishedTopic } from './cluster-publisher.ts';

/**
 * The state of an update on one relay. `delivered`: the relay has delivered it, or a newer version of the topic. `idle`: no
 * client of the relay subscribes to the topic. `pending`: the relay has subscribers, or had some a moment ago, but does not
 * have the update yet.
 * `silent`: the relay is registered, but does not reply.
 */
export type RelayState = 'delivered' | 'idle' | 'pending' | 'silent';

/** The state of one update on one relay, with the receipt of the relay if it has subscribers, as the HTTP API names it. */
export interface RelayStatus {
  readonly relay: string;
  readonly state: RelayState;
  readonly version?: Version;
  readonly told?: number;
  readonly listening?: number;
  readonly behind?: number;
}

/** The delivery of one update in the whole cluster. */
export interface UpdateStatus extends PublishedTopic {
  /** True if every relay is `delivered` or `idle`, and none is missing. */
  readonly delivered: boolean;
  /** Sorted by name. */
  readonly relays: readonly RelayStatus[];
}

/** The delivery of the updates of one call. */
export interface DeliveryStatus {
  /** True if every update is delivered. */
  readonly delivered: boolean;
  /** In the order of the updates. */
  readonly receipts: readonly UpdateStatus[];
  /** The number of relays that have recently left the registry and may return; absent if there are none. */
  readonly missing?: number;
}

/**
 * Computes the delivery of updates from the replies of relays. A relay that replies counts, even if it is not registered.
 *
 * @param replies by the name of the relay; each is aligned with `updates`
 * @param floors of the broker, read after the updates were published, aligned with `updates`; may lack those that `needsFloors` does not need
 */
export function deliveryStatus(
  updates: readonly PublishedTopic[],
  membership: RelayMembership,
  replies: ReadonlyMap<string, ReceiptReply>,
  floors: readonly Version[],
): DeliveryStatus {
  const names = [...new Set([...membership.relays, ...replies.keys()])].sort();
  const receipts = updates.map(({ topic, version }, i) => {
    const relays = names.map((relay) => {
      const reply = replies.get(relay);
      if (!reply) return { relay, state: 'silent' as const };
      const receipt = reply[i];
      return { relay, state: relayState(version, receipt, floors[i]), ...(receipt && countsOf(receipt)) };
    });
    const delivered =
      membership.missing === 0 && relays.every(({ state }) => state === 'delivered' || state === 'idle');
    return { topic, version, delivered, relays };
  });
  return {
    delivered: receipts.every(({ delivered }) => delivered),
    receipts,
    ...(membership.missing > 0 ? { missing: membership.missing } : {}),
  };
}

/** Whether floors must be read, or read again, to tell whether a newer version includes an update. */
export function needsFloors(
  updates: readonly PublishedTopic[],
  replies: ReadonlyMap<string, ReceiptReply>,
  floors: readonly Version[],
): boolean {
  return [...replies.values()].some((reply) =>
    updates.some(({ version }, i) => {
      const receipt = reply[i];
      return receipt !== undefined && mayPrecede(receipt, version, floors[i]);
    }),
  );
}

/**
 * Whether a newer version that a relay has delivered may have been assigned before an update. A broker that has lost data, and
 * whose clock is behind, may assign a lower version than one that clients have, until a relay shows it that one and the floor
 * is raised above both.
 */
function mayPrecede(
  { version, floor }: DeliveryReceipt,
  published: Version,
  brokerFloor: Version | undefined,
): boolean {
  return version > published && floor !== undefined && (floor !== brokerFloor || version < floor);
}

function countsOf({ version, delivered, subscribed, behind }: DeliveryReceipt): Omit<RelayStatus, 'relay' | 'state'> {
  return { version, told: delivered, listening: subscribed, behind };
}

function relayState(published: Version, receipt: DeliveryReceipt | undefined, floor: Version | undefined): RelayState {
  if (!receipt) return 'idle';
  // Also without subscribers: the next one would get the older version, and take it for the current one.
  if (receipt.version < published) return 'pending';
  if (mayPrecede(receipt, published, floor)) return 'pending';
  return receipt.delivered + receipt.subscribed === 0 ? 'idle' : 'delivered';
}
