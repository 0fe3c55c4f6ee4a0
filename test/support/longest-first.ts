import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** The longest files, by half a minute and more each. They must not be the last to run, while other workers have nothing to do. */
const LONGEST = [
  'integration/relay-rolling-restart',
  'chaos/redis-is-operated',
  'integration/load-test-reports-results',
  'chaos/rolling-upgrade',
  'integration/image-runs-every-role',
  'integration/relay-rebalancing',
  'chaos/networks-fail',
  'chaos/promise-needs-every-mechanism',
  'soak/soak-runs',
  'chaos/redis-restarts',
  'chaos/redis-cluster-resharding',
  'chaos/connections-are-lost',
  'e2e/pages-are-accessible',
  'e2e/stats-in-a-browser',
  'chaos/slow-client',
  'chaos/sentinel-failover',
];

/** Runs the longest files first, also on a clean clone, where Vitest does not know how long files took. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification) => {
      const place = LONGEST.findIndex((name) => moduleId.endsWith(`/test/${name}.test.ts`));
      return place === -1 ? LONGEST.length : place;
    };
    return (await super.sort(files)).sort((a, b) => rank(a) - rank(b));
  }
}
