import { type Manifest, ofKind, picks, workloadsOf } from './manifests.ts';

/**
 * Returns the flows that the network policies allow, egress and ingress, sorted, as `from -> to:port`.
 * Throws if a pod has no policy for one direction, which allows everything.
 */
export function flowsOf(manifests: readonly Manifest[]): readonly string[] {
  const flows = new Set<string>();
  const pods = workloadsOf(manifests).map(({ metadata, spec }) => ({
    name: metadata.name,
    labels: spec.template.metadata.labels,
  }));
  /** Describes the other end of a flow. */
  // biome-ignore lint/suspicious/noExplicitAny: as rendered
  function peers({ ipBlock, namespaceSelector, podSelector }: any): string[] {
    if (ipBlock) return [ipBlock.cidr];
    if (!namespaceSelector) return pods.filter(({ labels }) => picks(podSelector, labels)).map(({ name }) => name);
    const space = namespaceSelector.matchLabels?.['kubernetes.io/metadata.name'] ?? '*';
    const [label] = Object.entries<string>(podSelector?.matchLabels ?? {});
    return [label ? `${space}/${label[1] === 'true' ? label[0] : label[1]}` : space];
  }
  for (const { name, labels } of pods) {
    const own = ofKind(manifests, 'NetworkPolicy').filter(({ spec }) => picks(spec.podSelector, labels));
    const closed = new Set(own.flatMap(({ spec }) => spec.policyTypes));
    if (closed.size < 2) throw new Error(`no policy restricts ingress or egress of ${name}`);
    for (const { spec } of own) {
      for (const { to = [{ ipBlock: { cidr: '*' } }], ports = [{ port: '*' }] } of spec.egress ?? []) {
        for (const peer of to.flatMap(peers)) for (const { port } of ports) flows.add(`${name} -> ${peer}:${port}`);
      }
      for (const { from = [{ ipBlock: { cidr: '*' } }], ports = [{ port: '*' }] } of spec.ingress ?? []) {
        for (const peer of from.flatMap(peers)) for (const { port } of ports) flows.add(`${peer} -> ${name}:${port}`);
      }
    }
  }
  return [...flows].sort();
}
