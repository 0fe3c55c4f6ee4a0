import type { Update } from '../../shared/update/update.ts';
import type { Flushable } from './flushes.ts';

/** A topic's state on this relay. */
export interface Register extends Flushable {
  update: Update;
  /** Read once since it is watched, so that signals and digests keep it true. */
  settled: boolean;
  /** What is to be told is a raised floor. */
  paced: boolean;
}
