import { randomBytes } from 'node:crypto';

/** Returns a unique key prefix as long as the default one: longer names of keys and channels cost Redis more. */
export function shortPrefix(): string {
  return randomBytes('heliograph'.length / 2).toString('hex');
}
