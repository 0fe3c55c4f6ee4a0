import { createHash } from 'node:crypto';
import type { Digest, Published, Witness } from '../../services/shared/broker/broker.ts';
import type { Topic } from '../../services/shared/update/topic.ts';
import type { Version } from '../../services/shared/update/update.ts';
import type { RedisData } from './redis-data.ts';

/** Where a script runs. */
export interface ScriptContext {
  readonly data: RedisData;
  /** `TIME`, in microseconds. */
  readonly nowUs: number;
  /** Run id and replication id, as `history.lua` puts them together. */
  readonly history: string;
  /** Notes a change, for the replicas; it has been made here already. */
  write(change: (data: RedisData) => void): void;
  signalFloor(partition: number, floor: Version, raise: string): void;
  signalUpdate(partition: number, topic: Topic, version: Version, body: string): void;
}

/** What `redis-broker` hands to the scripts as arguments. */
export interface ScriptSettings {
  readonly registerTtlMs: number;
  readonly retentionUs: number;
  readonly reachUs: number;
  readonly digestLimit: number;
}

/** `history.lua`, line by line: returns the floor, what raised it, and the last version of the partition. */
function checkHistory(
  context: ScriptContext,
  partition: number,
  witness: Witness,
): { floor: Version; raise: string; last: Version; trimmed: Version | undefined } {
  const { history, nowUs } = context;
  const seen = witness.version;
  const meta = context.data.partition(partition).meta;
  let floor = meta?.floor ?? 0;
  let last = meta?.last ?? 0;
  let raise = meta?.raise ?? '';
  let trimmed = meta?.trimmed;
  let forgot = false;
  if (witness.epoch === '') forgot = false;
  else if (last < seen) forgot = true;
  else if ((witness.raiseId ?? '') !== '') forgot = witness.raiseId !== raise && floor <= seen;
  else if (witness.epoch !== history) forgot = floor < seen || witness.acknowledged === true;
  if (meta?.history !== history || forgot) {
    floor = Math.max(last, seen);
    if (floor >= nowUs) floor += Number.parseInt(createHash('sha1').update(history).digest('hex').slice(0, 5), 16);
    floor = Math.max(nowUs, floor) + 1;
    last = floor;
    trimmed ??= floor;
    raise = `${history.slice(0, 8)}.${nowUs}.${floor}`;
    const next = { floor, last, history, raise, trimmed };
    context.write((data) => {
      data.partition(partition).meta = { ...next };
    });
    context.signalFloor(partition, floor, raise);
  }
  return { floor, raise, last, trimmed };
}

/** `publish.lua`, line by line. */
export function runPublish(
  context: ScriptContext,
  settings: ScriptSettings,
  call: { partition: number; topic: Topic; body: string; witness: Witness },
): Published {
  const { partition, topic, body, witness } = call;
  const { last } = checkHistory(context, partition, witness);
  const version = Math.max(context.nowUs, last + 1, witness.version + 1);
  const expiresAtUs = version + settings.registerTtlMs * 1000;
  context.write((all) => {
    const data = all.partition(partition);
    if (data.meta) Object.assign(data.meta, { last: version, trimmed: version - settings.reachUs });
    data.registers.set(topic, { version, body, expiresAtUs });
    data.recent.set(topic, version);
    for (const [name, at] of data.recent) if (at <= version - settings.reachUs) data.recent.delete(name);
  });
  context.signalUpdate(partition, topic, version, body);
  return { version, epoch: context.history };
}

/** `digest.lua`, line by line. */
export function runDigest(
  context: ScriptContext,
  settings: ScriptSettings,
  call: { partition: number; witness: Witness; cursor: Version },
): Digest {
  const { partition, witness, cursor } = call;
  const checked = checkHistory(context, partition, witness);
  const { nowUs, history: epoch } = context;
  const timeUs = Math.max(nowUs, checked.last);
  const base = timeUs - (timeUs % (settings.retentionUs / 2));
  let last = checked.last;
  const completeAfter = checked.trimmed ?? last - settings.reachUs;
  if (base > last) {
    last = base;
    context.write((data) => {
      const meta = data.partition(partition).meta;
      if (meta) meta.last = base;
    });
  }
  const changed = [...context.data.partition(partition).recent]
    .filter(([, version]) => version > cursor)
    .sort(([, a], [, b]) => a - b)
    .slice(0, settings.digestLimit)
    .map(([topic, version]) => ({ topic, version }));
  return {
    epoch,
    floor: checked.floor,
    raiseId: checked.raise,
    last,
    base,
    retainedSince: timeUs - settings.retentionUs,
    completeAfter,
    changed,
    hasMore: changed.length === settings.digestLimit,
  };
}
