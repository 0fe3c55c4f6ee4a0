import type { RelayLoad } from './broker.ts';

/** Reads a load as Redis keeps it; one that another version of this software wrote counts as nothing. */
export function decodeLoad(text: string): RelayLoad {
  try {
    const { connections, relays } = JSON.parse(text);
    return { connections: isCount(connections) ? connections : 0, ...(isCount(relays) ? { relays } : {}) };
  } catch {
    return { connections: 0 };
  }
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) > 0;
}
