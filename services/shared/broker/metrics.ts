import { Counter, Gauge, type Registry } from 'prom-client';
import type { Logger } from '../logger.ts';
import type { BrokerReport } from './broker-report.ts';

/** Turns what a broker reports into metrics and log lines. */
export function createBrokerMetrics(deps: { registry: Registry; logger: Logger }): BrokerReport {
  const { registry, logger } = deps;
  const registers = [registry];
  const links = new Gauge({
    name: 'broker_links',
    help: 'Connections to Redis that stand, by purpose. Panel "Links"; alert HeliographRedisUnreachable',
    labelNames: ['link'],
    registers,
  });
  const connects = new Counter({
    name: 'broker_connects_total',
    help: 'Connections to Redis that were made, by purpose: all but the first are reconnects. Panel "Connects"',
    labelNames: ['link'],
    registers,
  });
  const evictionRisk = new Gauge({
    name: 'broker_eviction_risk',
    help: 'Whether Redis may evict registers silently (1): its maxmemory-policy is not noeviction. Panel "May evict"; alert HeliographRedisMayEvict',
    aggregator: 'max',
    registers,
  });
  /** What is known to be wrong with each link, so that attempts that go on failing are logged once. */
  const failures = new Map<string, Set<string>>();
  return {
    linkUp(link) {
      failures.delete(link);
      links.inc({ link });
      connects.inc({ link });
      logger.info({ link }, 'connected to Redis');
    },
    linkDown(link) {
      links.dec({ link });
      logger.warn({ link }, 'lost the connection to Redis');
    },
    linkFailed(link, reason) {
      links.inc({ link }, 0); // one that never stood is missing too
      const known = failures.get(link) ?? new Set();
      failures.set(link, known);
      if (known.has(reason)) return;
      known.add(reason);
      logger.warn({ link, reason }, 'cannot connect to Redis, and goes on trying');
    },
    evictionPolicy(policy) {
      const risk = policy !== 'noeviction';
      evictionRisk.set(risk ? 1 : 0);
      if (risk)
        logger.error({ policy }, 'Redis may evict registers and lose updates: set maxmemory-policy to noeviction');
    },
  };
}
