import * as gateway from '@kubernetes-models/gateway-api/gateway.networking.k8s.io/v1';
import * as keda from '@kubernetes-models/keda/keda.sh/v1alpha1';
import * as prometheus from '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1';
import * as apps from 'kubernetes-models/apps/v1';
import * as autoscaling from 'kubernetes-models/autoscaling/v2';
import * as batch from 'kubernetes-models/batch/v1';
import * as networking from 'kubernetes-models/networking.k8s.io/v1';
import * as policy from 'kubernetes-models/policy/v1';
import * as core from 'kubernetes-models/v1';

const MODELS: Readonly<Record<string, object>> = {
  v1: core,
  'apps/v1': apps,
  'autoscaling/v2': autoscaling,
  'batch/v1': batch,
  'gateway.networking.k8s.io/v1': gateway,
  'keda.sh/v1alpha1': keda,
  'networking.k8s.io/v1': networking,
  'policy/v1': policy,
  'monitoring.coreos.com/v1': prometheus,
};

/** A document of Kubernetes, of whatever kind. */
export interface KubernetesObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string };
}

/**
 * What is wrong with a document by Kubernetes' own schema, which the API server would refuse or, for a field that no
 * schema knows, silently forget. Empty where nothing is.
 */
export function problemsOf(document: KubernetesObject): string[] {
  const models = MODELS[document.apiVersion] as Record<string, { prototype?: { validate?(): void } }> | undefined;
  const validate = models?.[document.kind]?.prototype?.validate;
  if (!validate) return [`${document.apiVersion} ${document.kind} has no schema here`];
  const { watched, unread } = watchReads(document);
  try {
    validate.call(watched);
  } catch (error) {
    return [error instanceof Error ? error.message : String(error)];
  }
  return unread().map((field) => `${field} is a field that no schema knows`);
}

/**
 * The package's schemas let unknown fields pass. They are code that reads each field that they know, though: what was
 * never read is not known.
 */
function watchReads(root: object): { watched: object; unread: () => string[] } {
  const seen: { path: string; target: object; read: Set<PropertyKey> }[] = [];
  function watch(target: object, path: string): object {
    const read = new Set<PropertyKey>();
    seen.push({ path, target, read });
    const children = new Map<PropertyKey, unknown>();
    return new Proxy(target, {
      get(_, key) {
        read.add(key);
        if (children.has(key)) return children.get(key);
        const value: unknown = Reflect.get(target, key);
        const isField = typeof value === 'object' && value !== null && Object.hasOwn(target, key);
        const child = isField ? watch(value, `${path}/${String(key)}`) : value;
        children.set(key, child);
        return child;
      },
    });
  }
  const watched = watch(root, '');
  const unread = () =>
    seen.flatMap(({ path, target, read }) =>
      Object.keys(target)
        .filter((key) => !read.has(key))
        .map((key) => `${path}/${key}`),
    );
  return { watched, unread };
}
