import { kubectl, testContext } from './kubectl.ts';

export const NAMESPACE = 'heliograph';

/** Applies the local overlay, once before all tests of this folder, and removes it after them. */
export default async function setup(): Promise<() => Promise<void>> {
  testContext();
  await kubectl(['apply', '-k', 'k8s/overlays/local']);
  await kubectl(['-n', NAMESPACE, 'wait', '--for=condition=Available', '--timeout=3m', 'deployment', '--all']);
  return async () => {
    await kubectl(['delete', '--ignore-not-found', '--wait', '-k', 'k8s/overlays/local']);
  };
}
