import { lookup } from 'node:dns/promises';
import type { Target } from './target.ts';

/**
 * Puts addresses in the place of names, once for all clients: a target for each address of a name, IPv4 where there is
 * any. Rejects where a name has none.
 */
export async function resolveTargets(targets: readonly Target[]): Promise<readonly Target[]> {
  const resolved = await Promise.all(
    targets.map(async (target) => {
      const all = await lookup(target.host, { all: true });
      const v4 = all.filter(({ family }) => family === 4);
      return (v4.length > 0 ? v4 : all).map(({ address }) => ({ ...target, host: address }));
    }),
  );
  return resolved.flat();
}
