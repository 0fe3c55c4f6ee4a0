import { TRANSPORTS } from '../clients/transport-mix.ts';
import type { LoadtestOptions } from '../options/options.ts';

/** What a test was told to do, for its report. Holds no credentials. */
export function settingsOf(options: LoadtestOptions): Readonly<Record<string, string>> {
  const percent = (share: number) => `${Number((share * 100).toFixed(3))}%`;
  const mix = TRANSPORTS.filter((name) => options.mix[name] > 0).map((name) => `${name} ${percent(options.mix[name])}`);
  return {
    ramp: `${options.rampMs / 1000} s`,
    topics: `${options.topics} (${options.topicsPerClient} for each client, ${options.topicSpread})`,
    updates: `${options.updatesPerSecond} a second for ${options.durationMs / 1000} s`,
    payload: `${options.payloadBytes} B`,
    transports: mix.join(', '),
    'slow readers': `${percent(options.slowShare)}${options.slowShare > 0 ? `, pausing for ${options.slowPauseMs / 1000} s` : ''}`,
    churn: `${options.churnPerSecond} clients a second`,
  };
}
