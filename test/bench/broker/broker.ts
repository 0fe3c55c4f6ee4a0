import type { Bench, BenchContext, BenchResult, Goal } from '../bench.ts';
import type { Samples } from '../statistics.ts';
import { measureClusterCost } from './cluster-cost.ts';
import type { MeasurePart, Row } from './part.ts';
import { measurePublishCost } from './publish-cost.ts';
import { measurePublishSteps } from './publish-steps.ts';
import { measureRelayCost } from './relay-cost.ts';
import { measureSubscriptionCost } from './subscription-cost.ts';
import { measureTopicMemory } from './topic-memory.ts';
import { measureWebhookCost } from './webhook-cost.ts';

const PARTS: readonly MeasurePart[] = [
  measurePublishCost,
  measurePublishSteps,
  measureRelayCost,
  measureSubscriptionCost,
  measureClusterCost,
  measureWebhookCost,
  measureTopicMemory,
];

async function run(context: BenchContext): Promise<BenchResult> {
  const samples: Samples = {};
  const rows: Row[] = [];
  const goals: Goal[] = [];
  for (const measure of PARTS) {
    const part = await measure(context, samples);
    rows.push(...part.rows);
    goals.push(...(part.goals ?? []));
  }
  return { columns: ['what', 'cost', 'relative to'], rows, goals, samples };
}

export const BROKER: Bench = {
  name: 'broker',
  description:
    "What updates, relays, webhooks and topics cost; `--against` adds another build's updates, relays and webhook. CPU of Redis is that of its main thread",
  run,
};
