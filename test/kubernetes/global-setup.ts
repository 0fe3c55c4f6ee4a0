import type { TestProject } from 'vitest/node';
import { OLDER_RELEASE } from '../support/older-build.ts';
import { kubectl, testContext } from './kubectl.ts';

/** Features of a cluster beyond the plain API; tests that need a missing one are skipped. */
export interface ClusterFeatures {
  /** Traefik in the namespace `traefik`, as Ingress controller and for the Gateway API. */
  readonly traefik: boolean;
  /** The Prometheus adapter with deploy/prometheus/adapter.yaml. */
  readonly customMetrics: boolean;
  /** The CRDs of prometheus-operator. */
  readonly operator: boolean;
  /** The image of the release that people upgrade from. */
  readonly olderImage: boolean;
}

declare module 'vitest' {
  interface ProvidedContext {
    cluster: ClusterFeatures;
  }
}

/** Detects the features of the cluster of KUBE_TEST_CONTEXT, once before all tests of this folder. */
export default async function setup(project: TestProject): Promise<void> {
  testContext();
  const has = (...args: string[]) =>
    kubectl(['get', ...args]).then(
      () => true,
      () => false,
    );
  const images = await kubectl(['get', 'nodes', '-o', 'jsonpath={.items[*].status.images[*].names}']);
  const features: ClusterFeatures = {
    traefik: (await has('ingressclass', 'traefik')) && (await has('gatewayclass', 'traefik')),
    customMetrics: await has('apiservice', 'v1beta1.custom.metrics.k8s.io'),
    operator: await has('crd', 'servicemonitors.monitoring.coreos.com', 'prometheusrules.monitoring.coreos.com'),
    olderImage: images.includes(`heliograph:${OLDER_RELEASE.name}"`),
  };
  const missing = Object.entries(features).flatMap(([name, isThere]) => (isThere ? [] : [name]));
  if (missing.length > 0) console.warn(`The cluster lacks ${missing.join(', ')}: tests that need it are skipped`);
  project.provide('cluster', features);
}
