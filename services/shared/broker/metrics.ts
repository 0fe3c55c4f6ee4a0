import { Counter, Gauge, type Registry } from 'prom-client';
import { LogLimit } from '../log-limit.ts';
import type { Logger } from '../logger.ts';
import type { BrokerReport, LinkName } from './broker-report.ts';
import { LinkLog } from './link-log.ts';

/** A refusal or a policy is logged again if none had the same reason for this long, in milliseconds. */
const QUIET_MS = 600_000;

/** Creates a report that turns the events of broker links into metrics and log lines. */
export function createBrokerMetrics(deps: { registry: Registry; logger: Logger }): BrokerReport {
  const { registry, logger } = deps;
  const registers = [registry];
  const links = new Gauge({
    name: 'broker_links',
    help: 'Established connections to Redis, by purpose. Panel "Links"; alert HeliographRedisUnreachable',
    labelNames: ['link'],
    registers,
  });
  const connects = new Counter({
    name: 'broker_connects_total',
    help: 'Connections to Redis established since the start, by purpose: all but the first are reconnects. Panel "Opened links"',
    labelNames: ['link'],
    registers,
  });
  const refusals = new Counter({
    name: 'broker_refusals_total',
    help: 'Commands that Redis refused, by reason. Panel "Refused by Redis"',
    labelNames: ['reason'],
    registers,
  });
  const evictionRisk = new Gauge({
    name: 'broker_eviction_risk',
    help: '1 if Redis may evict registers: its maxmemory-policy is not noeviction. Panel "Eviction risk"; alert HeliographRedisMayEvict',
    aggregator: 'max',
    registers,
  });
  const logs = new Map<LinkName, LinkLog>();
  const logOf = (link: LinkName): LinkLog => {
    const log = logs.get(link) ?? new LinkLog({ logger, link });
    logs.set(link, log);
    return log;
  };
  const lastMs = new Map<string, number>();
  const isNews = (reason: string): boolean => {
    const nowMs = performance.now();
    const quietMs = nowMs - (lastMs.get(reason) ?? Number.NEGATIVE_INFINITY);
    lastMs.set(reason, nowMs);
    return quietMs > QUIET_MS;
  };
  const limit = new LogLimit({ nowMs: () => performance.now() });
  let loadRefused = false;
  return {
    linkUp(link) {
      links.inc({ link });
      connects.inc({ link });
      logOf(link).connected();
    },
    linkDown(link) {
      links.dec({ link });
      logOf(link).lost();
    },
    linkFailed(link, reason) {
      links.inc({ link }, 0); // creates the series, so that a link that was never established shows as 0
      logOf(link).failed(reason);
    },
    commandRefused({ reason, explanation }) {
      refusals.inc({ reason });
      if (isNews(reason)) logger.error({ reason }, `Redis refuses commands: ${explanation}`);
    },
    evictionPolicy(policy) {
      const risk = policy !== 'noeviction';
      evictionRisk.set(risk ? 1 : 0);
      if (risk && isNews(`policy ${policy}`))
        logger.error({ policy }, 'Redis may evict registers and lose updates; set maxmemory-policy to noeviction');
    },
    settingsDiffer(difference) {
      if (difference === undefined) logger.info('the settings of the cluster agree again');
      else logger.error(`the settings differ; answering 503 until they agree: ${difference}`);
    },
    scriptLoadRefused(reason) {
      if (loadRefused) return;
      loadRefused = true;
      logger.warn({ reason }, 'Redis refuses SCRIPT LOAD; scripts are sent again when it has evicted them');
    },
    probeRefused(reason) {
      limit.log('probe', (times) =>
        logger.warn({ reason, times }, 'Redis refuses one probe of several partitions; probing each of them alone'),
      );
    },
  };
}
