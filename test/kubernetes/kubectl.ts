import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { eventually } from '../support/eventually.ts';

const run = promisify(execFile);
const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));

/** The product's image, which the nodes of the cluster have. */
export const IMAGE = `heliograph:${version}`;

/** Settings of a container that the Pod Security profile "restricted" requires. */
export const HARDENED = {
  securityContext: {
    runAsNonRoot: true,
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    capabilities: { drop: ['ALL'] },
    seccompProfile: { type: 'RuntimeDefault' },
  },
};

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** Returns the context that the tests may break, from `KUBE_TEST_CONTEXT`. Throws if it is missing. */
export function testContext(): string {
  const context = process.env.KUBE_TEST_CONTEXT;
  if (!context) {
    throw new Error(
      'set KUBE_TEST_CONTEXT to the kubectl context of a cluster that these tests may break: they delete pods and drain nodes',
    );
  }
  return context;
}

/**
 * Runs `kubectl` at the root of the repository against the test's context. Returns its output; throws an error with its
 * messages when it fails.
 */
export async function kubectl(args: readonly string[], input?: string): Promise<string> {
  const call = run('kubectl', ['--context', testContext(), ...args], { cwd: ROOT, maxBuffer: 64 * 1024 * 1024 });
  call.child.stdin?.end(input);
  const { stdout } = await call;
  return stdout.trim();
}

/** Applies objects. */
export function applyObjects(...items: readonly object[]): Promise<string> {
  return kubectl(['apply', '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items }));
}

/** Repeats an assertion about the cluster until it holds, twice a second: each `kubectl` is a process. */
export function eventuallyInCluster<T>(assertion: () => Promise<T>, timeoutMs: number): Promise<T> {
  return eventually(assertion, timeoutMs, 500);
}
