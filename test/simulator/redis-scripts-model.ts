import { createHash } from 'node:crypto';
import type { Digest, PartitionState, Published, Witness } from '../../services/shared/broker/broker.ts';
import type { Topic } from '../../services/shared/update/topic.ts';
import type { Version } from '../../services/shared/update/update.ts';
import type { Meta, RedisData } from './redis-data.ts';
import type { Sabotage } from './sabotage.ts';

/** What `INFO` contains of the identity of a server. */
export interface ServerIdentity {
  readonly runId: string;
  readonly replicationId: string;
  /** Whether the server has been a replica since its replication id was last replaced without a change of roles. */
  readonly wasReplica: boolean;
  /** How often the process has loaded data. */
  readonly loaded: number;
}

/** The server on which a script runs. */
export interface ScriptContext {
  readonly data: RedisData;
  /** `TIME`, in microseconds. */
  readonly nowUs: number;
  readonly identity: ServerIdentity;
  /** Applies a change here, and later on the replicas. */
  write(change: (data: RedisData) => void): void;
  signalFloor(partition: number, floor: Version, raiseId: string): void;
  signalUpdate(partition: number, topic: Topic, version: Version, body: string): void;
}

/** The settings that `RedisScripts` passes to the scripts. */
export interface ScriptSettings {
  readonly registerTtlMs: number;
  readonly dataTtlMs: number;
  readonly retentionUs: number;
  readonly recentWindowUs: number;
  readonly digestLimit: number;
  /** A rule that the scripts leave out: `epoch`, `replication-id` or `last`. */
  readonly sabotage?: Sabotage | undefined;
}

/** As in `publish.lua`. */
const TTL_PERIOD_US = 600_000_000;

/** Models `epoch.lua` line by line. Returns the state that it leaves to the script that follows. */
function checkEpoch(
  context: ScriptContext,
  partition: number,
  witness: Witness,
  sabotage: Sabotage | undefined,
): { epoch: string; floor: Version; raiseId: string; last: Version; trimmed: Version | undefined; server: string } {
  const { identity, nowUs } = context;
  const meta = context.data.partition(partition).meta;
  const self = `${identity.runId}.${identity.replicationId}`;
  const server = sabotage === 'epoch' ? meta?.server || self : self;
  const seen = witness.version;
  const change = (fields: Partial<Meta>) =>
    context.write((data) => {
      const stored = data.partition(partition);
      if (stored.meta) stored.meta = { ...stored.meta, ...fields };
    });
  let epoch = meta?.history ?? '';
  let checked = meta?.server ?? '';
  if (checked !== server && checked.split('.')[0] === identity.runId) {
    const onlyReplicationId = !identity.wasReplica && meta?.loaded === identity.loaded;
    if (onlyReplicationId && sabotage !== 'replication-id') {
      checked = server;
      change({ server });
    }
  }
  let floor = meta?.floor ?? 0;
  let last = meta?.last ?? 0;
  let raiseId = meta?.raise ?? '';
  let trimmed = meta?.trimmed;
  let lost = false;
  if (witness.epoch === '') lost = false;
  else if (raiseId.endsWith('.first') && witness.epoch !== epoch && seen > nowUs - 86_400_000_000) lost = true;
  else if (last < seen) lost = true;
  else if ((witness.raiseId ?? '') !== '') lost = witness.raiseId !== raiseId && floor <= seen;
  else if (witness.epoch !== epoch) {
    const covered = meta?.covered.get(witness.promised?.publisher ?? '')?.sequence ?? 0;
    lost = floor < seen || newestAcknowledgement(witness, epoch) > covered;
  } else if (witness.promised) {
    const { publisher, version } = witness.promised;
    lost = floor < version && (meta?.published.get(publisher) ?? 0) < version;
  }
  if (checked !== server || lost) {
    if (checked !== server) epoch = server;
    floor = Math.max(last, seen);
    if (floor >= nowUs) {
      const hash = createHash('sha1').update(`${epoch}${last}${nowUs}`).digest('hex');
      floor += Number.parseInt(hash.slice(0, 5), 16);
    }
    floor = Math.max(nowUs, floor) + 1;
    last = floor;
    trimmed ??= floor;
    raiseId = `${epoch.slice(0, 8)}.${nowUs}.${floor}`;
    if (checked === '' && witness.epoch === '') raiseId += '.first';
    const next = { floor, last, history: epoch, raise: raiseId, trimmed, server, loaded: identity.loaded };
    context.write((data) => {
      const stored = data.partition(partition);
      const covered = new Map(stored.meta?.covered);
      if (witness.promised && witness.acknowledged) {
        covered.set(witness.promised.publisher, { sequence: newestAcknowledgement(witness), floor });
      }
      stored.meta = { published: stored.meta?.published ?? new Map(), covered, ...next };
    });
    context.signalFloor(partition, floor, raiseId);
  }
  return { epoch, floor, raiseId, last, trimmed, server };
}

/** Returns the newest acknowledgement of a witness under an epoch other than the given one. */
function newestAcknowledgement({ epoch, acknowledged = [] }: Witness, except?: string): number {
  const epochs = epoch.match(/\S+/g) ?? [];
  return Math.max(0, ...epochs.flatMap((each, i) => (each === except ? [] : (acknowledged[i] ?? []))));
}

/**
 * Models `publish.lua` line by line.
 * @param call.known the server that `INFO` named on this connection, '' if that is not known
 */
export function runPublish(
  context: ScriptContext,
  settings: ScriptSettings,
  call: { partition: number; topics: readonly Topic[]; body: string; witness: Witness; known: string },
): { published: readonly Published[]; server: string } {
  const { partition, topics, body, witness, known } = call;
  const { nowUs } = context;
  const meta = context.data.partition(partition).meta;
  const { publisher = '', version: promised = 0 } = witness.promised ?? {};
  const assignedBefore = meta?.published.get(publisher) ?? 0;
  const isIntact =
    known !== '' &&
    known === meta?.server &&
    witness.epoch === meta.history &&
    (witness.raiseId ?? '') === '' &&
    meta.last >= witness.version &&
    assignedBefore >= promised;
  const state = isIntact
    ? { epoch: meta.history, floor: meta.floor, last: meta.last, trimmed: meta.trimmed, server: '' }
    : checkEpoch(context, partition, witness, settings.sabotage);
  const after = settings.sabotage === 'last' ? 0 : state.last;
  const first = Math.max(nowUs, after + 1, witness.version + 1);
  const ttlUs = settings.registerTtlMs * 1000;
  const published = topics.map((topic, i) => {
    const version = first + i;
    const stored = context.data.partition(partition).registers.get(topic);
    const before = stored && stored.expiresAtUs > nowUs ? stored : undefined;
    const isRenewed = Math.floor((before?.version ?? 0) / TTL_PERIOD_US) !== Math.floor(version / TTL_PERIOD_US);
    return {
      topic,
      version,
      previous: Math.max(before?.version ?? version - ttlUs, state.floor),
      expiresAtUs: isRenewed || !before ? version + ttlUs : before.expiresAtUs,
    };
  });
  const newest = first + topics.length - 1;
  const window = settings.recentWindowUs;
  const dataExpiresAtUs = nowUs + settings.dataTtlMs * 1000;
  context.write((all) => {
    const data = all.partition(partition);
    for (const { topic, version, expiresAtUs } of published) {
      data.registers.set(topic, { version, body, expiresAtUs, dataExpiresAtUs });
      data.recent.set(topic, version);
    }
    if (!data.meta) return;
    data.meta = { ...data.meta, last: newest, published: new Map(data.meta.published).set(publisher, newest) };
    if (state.trimmed !== undefined && first - state.trimmed <= 1.25 * window) return;
    data.meta.trimmed = first - window;
    for (const [name, at] of data.recent) if (at <= first - window) data.recent.delete(name);
  });
  for (const { topic, version } of published) context.signalUpdate(partition, topic, version, body);
  return {
    published: published.map(({ version, previous }) => ({ version, epoch: state.epoch, previous, assignedBefore })),
    server: state.server,
  };
}

/** Models `epoch.lua` and `state.lua`, as `probe.lua` calls them. */
export function runProbe(
  context: ScriptContext,
  settings: ScriptSettings,
  call: { partition: number; witness: Witness },
): PartitionState {
  const { partition, witness } = call;
  const checked = checkEpoch(context, partition, witness, settings.sabotage);
  const timeUs = Math.max(context.nowUs, checked.last);
  const base = timeUs - (timeUs % (settings.retentionUs / 2));
  let last = checked.last;
  const completeAfter = checked.trimmed ?? last - settings.recentWindowUs;
  if (base > last) {
    last = base;
    context.write((data) => {
      const meta = data.partition(partition).meta;
      if (meta) meta.last = base;
    });
  }
  return {
    epoch: checked.epoch,
    floor: checked.floor,
    raiseId: checked.raiseId,
    isFirstFloor: checked.raiseId.endsWith('.first'),
    last,
    base,
    retainedSince: timeUs - settings.retentionUs,
    completeAfter,
  };
}

/** Models `digest.lua` line by line. */
export function runDigest(
  context: ScriptContext,
  settings: ScriptSettings,
  call: { partition: number; witness: Witness; cursor: Version },
): Digest {
  const { partition, witness, cursor } = call;
  const state = runProbe(context, settings, call);
  if (witness.promised) {
    const forgottenBefore = state.retainedSince - settings.retentionUs;
    context.write((data) => {
      const { meta } = data.partition(partition);
      if (!meta) return;
      meta.published = new Map([...meta.published].filter(([, version]) => version >= forgottenBefore));
      meta.covered = new Map([...meta.covered].filter(([, { floor }]) => floor >= forgottenBefore));
    });
  }
  const changed = [...context.data.partition(partition).recent]
    .filter(([, version]) => version > cursor)
    .sort(([, a], [, b]) => a - b)
    .slice(0, settings.digestLimit)
    .map(([topic, version]) => ({ topic, version }));
  return { ...state, changed, hasMore: changed.length === settings.digestLimit };
}
