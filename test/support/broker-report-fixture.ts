import { Registry } from 'prom-client';
import { createBrokerMetrics } from '../../services/shared/broker/metrics.ts';
import { createLogger } from '../../services/shared/logger.ts';

/** A line of the log, of the level 30 (info), 40 (warn) or 50 (error). */
interface LogLine {
  readonly level: number;
  readonly msg: string;
  readonly reason?: string;
  readonly policy?: string;
  readonly times?: number;
}

/** Creates a report of a broker with metrics in a registry of its own. `take` returns the lines logged since the last call. */
export function createBrokerReport(format: (line: LogLine) => string) {
  const lines: string[] = [];
  const registry = new Registry();
  const destination = { write: (text: string) => void lines.push(format(JSON.parse(text))) };
  const report = createBrokerMetrics({ registry, logger: createLogger({ name: 'test', level: 'info', destination }) });
  return { report, registry, take: () => lines.splice(0) };
}
