import type { Figures, Judgement, LastUpdates } from '../measure/figures.ts';
import type { ClientPlan, Schedule } from './client-plan.ts';

/** What a process of clients is told. */
export type ToClients =
  | { readonly type: 'start'; readonly plan: ClientPlan }
  | { readonly type: 'end-ramp' }
  | { readonly type: 'publishing'; readonly schedule: Schedule }
  | { readonly type: 'judge'; readonly last: LastUpdates; readonly atMs: number };

/** What it tells. */
export type FromClients =
  | { readonly type: 'ready'; readonly residentBytes: number }
  | { readonly type: 'figures'; readonly figures: Figures; readonly isRamped: boolean }
  | { readonly type: 'judged'; readonly judgement: Judgement };
