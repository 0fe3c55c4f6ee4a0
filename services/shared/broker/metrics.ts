import { Counter, Gauge, type Registry } from 'prom-client';
import type { Logger } from '../process/logger.ts';
import type { BrokerReport, LinkName } from './broker-report.ts';

const LINKS: readonly LinkName[] = ['commands', 'subscriber'];

/** Turns what a broker reports into metrics and log lines. */
export function createBrokerMetrics(deps: { registry: Registry; logger: Logger }): BrokerReport {
  const { registry, logger } = deps;
  const registers = [registry];
  const up = new Gauge({
    name: 'broker_link_up',
    help: 'Whether the connection to Redis stands (1) or not (0), by connection',
    labelNames: ['link'],
    registers,
  });
  const connects = new Counter({
    name: 'broker_connects_total',
    help: 'Connections to Redis that were made, by connection: all but the first are reconnects',
    labelNames: ['link'],
    registers,
  });
  const evictionRisk = new Gauge({
    name: 'broker_eviction_risk',
    help: 'Whether Redis may evict registers silently (1): its maxmemory-policy is not noeviction',
    registers,
  });
  for (const link of LINKS) {
    up.set({ link }, 0);
    connects.inc({ link }, 0);
  }
  return {
    linkUp(link) {
      up.set({ link }, 1);
      connects.inc({ link });
      logger.info({ link }, 'connected to Redis');
    },
    linkDown(link) {
      up.set({ link }, 0);
      logger.warn({ link }, 'lost the connection to Redis');
    },
    evictionPolicy(policy) {
      const risk = policy !== 'noeviction';
      evictionRisk.set(risk ? 1 : 0);
      if (risk)
        logger.error({ policy }, 'Redis may evict registers and lose updates: set maxmemory-policy to noeviction');
    },
  };
}
