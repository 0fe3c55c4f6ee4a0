import { containerOf, isRole, type Manifest, ofKind, readAsRole } from './manifests.ts';

/** Secrets that production finds in its cluster, by name, with what they may hold; deploy/README.md says how to make them. */
export const FOREIGN_SECRETS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  redis: { REDIS_URL: 'rediss://redis.example.org:6379' },
  webhook: { WEBHOOK_SECRETS: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw' },
  chat: { WEBHOOK_SECRET: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw' },
  outbox: {
    DATABASE_URL: 'postgres://outbox:password@postgres.example.org/shop',
    WEBHOOK_SECRET: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
  },
};

/**
 * The environment of a workload of ours: what the manifests give it, and that read as its role does, with the
 * image's own. Throws where the role would not start.
 */
export function environmentOf(workload: Manifest, manifests: readonly Manifest[]) {
  const { args, envFrom = [], env = [] } = containerOf(workload);
  const given: Record<string, string> = {};
  for (const { configMapRef, secretRef } of envFrom) {
    const { name, optional } = configMapRef ?? secretRef;
    const source = ofKind(manifests, configMapRef ? 'ConfigMap' : 'Secret').find(
      ({ metadata }) => metadata.name === name,
    );
    if (configMapRef) Object.assign(given, source?.data);
    else if (source) Object.assign(given, decode(source.data));
    else if (!optional) Object.assign(given, FOREIGN_SECRETS[name]);
  }
  for (const { name, value } of env) given[name] = value;
  const role = args[0];
  if (!isRole(role)) throw new Error(`${workload.metadata.name} has no role`);
  return { role, given, ...readAsRole(role, { NODE_ENV: 'production', ...given }) };
}

function decode(data: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(data).map(([name, value]) => [name, Buffer.from(value, 'base64').toString('utf8')]),
  );
}
