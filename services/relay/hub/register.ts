import type { Update, Version } from '../../shared/update/update.ts';
import type { Flushable } from './flushes.ts';

/** A topic's state on this relay. */
export interface Register extends Flushable {
  /** Where its topic belongs. */
  readonly partition: number;
  /** The newest that clients are to be told: an update, or a raised floor. */
  update: Update;
  /** The version of the newest update that is known of; 0 for none. */
  stored: Version;
  /** How many clients were told when it was told last. */
  delivered: number;
  /** Read once since it is watched, so that signals and digests keep it true. */
  loaded: boolean;
  /** What is to be told is a raised floor. */
  paced: boolean;
}
