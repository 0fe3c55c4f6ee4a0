import type { Clock } from '../../shared/clock.ts';
import type { AppError } from '../../shared/errors.ts';
import type { Update } from '../../shared/update/update.ts';
import type { Authorization } from '../access/authorization.ts';
import type { Hub } from '../hub/hub.ts';
import type { SessionLimits } from './limits.ts';

/** What sessions report, for metrics. */
export interface SessionReport {
  fellBehind(): void;
  caughtUp(): void;
  /** A client was told on its own of an update that it had not been counted for: it came back, or its moment came. */
  sent(): void;
  /** A client that was behind was told of an update on its own. */
  sentLate?(update: Update): void;
  refused(refusal: AppError): void;
}

/** What whoever holds all sessions sees of each. */
export interface SessionOwner<S> {
  closed(session: S): void;
  /** Those that are behind. */
  readonly behind: Set<S>;
  /** Those that need a token and have shown none, the oldest first. */
  readonly tokenless: Set<S>;
}

/** What all sessions of a relay share. */
export interface SessionDeps {
  readonly hub: Hub;
  readonly clock: Clock;
  readonly limits: SessionLimits;
  /** undefined where everybody may listen to everything. */
  readonly authorization: Authorization | undefined;
  readonly report: SessionReport;
}
