import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseAllDocuments } from 'yaml';
import { onPath, thisMachine } from './find-program.ts';
import type { Manifest } from './manifests.ts';

export const CHART = fileURLToPath(new URL('../../deploy/helm/heliograph', import.meta.url));

/** Helm: `HELM_PROGRAM`, or that of the PATH, or that of an unpacked test cluster. undefined if there is none. */
export const HELM: string | undefined = [
  process.env.HELM_PROGRAM,
  onPath('helm', thisMachine()),
  `${process.env.KUBE_LAB || '/var/lib/kube-lab'}/bin/helm`,
].find((program) => program && existsSync(program));

/** Runs Helm. Returns its output; throws an error with its messages when it fails. */
export function helm(...args: readonly string[]): string {
  if (HELM === undefined) throw new Error('there is no helm');
  return execFileSync(HELM, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

/** Returns what the chart would install with these arguments. */
export function renderChart(...args: readonly string[]): readonly Manifest[] {
  const text = helm('template', 'heliograph', CHART, '--namespace', 'heliograph', ...args);
  return parseAllDocuments(text).flatMap((document) => (document.toJS() as Manifest | null) ?? []);
}
