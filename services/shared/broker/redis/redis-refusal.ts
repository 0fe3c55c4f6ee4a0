import type { Refusal } from '../broker-report.ts';

/** What keeps Redis from a command, by the first word of its reply. */
const EXPLANATIONS: Readonly<Record<string, string>> = {
  oom: 'Redis is out of memory (OOM)',
  misconf: 'Redis cannot save its data (MISCONF)',
  noreplicas: 'too few replicas are connected to Redis (NOREPLICAS)',
  readonly: 'this Redis is a replica (READONLY)',
  noperm: 'the ACL user of Redis lacks a permission (NOPERM)',
  loading: 'Redis is loading its data (LOADING)',
  busy: 'a script of another client keeps Redis busy (BUSY)',
  clusterdown: 'the Redis Cluster is down (CLUSTERDOWN)',
  masterdown: 'the replica has lost its master (MASTERDOWN)',
};

/** The replies of a node of Redis Cluster while slots move: part of normal operation. */
const REDIRECTIONS = /^(MOVED|ASK|TRYAGAIN|CROSSSLOT) /;

/** Returns why Redis refused a command; undefined if the error is not a refusal, such as a lost connection. */
export function parseRefusal(error: unknown): Refusal | undefined {
  if (!(error instanceof Error) || error.name !== 'ReplyError' || REDIRECTIONS.test(error.message)) return undefined;
  const { message } = error;
  // The user of a script that lacks a permission, by Redis 7.0 and by newer ones.
  const word = /executing the script can't|ACL failure in script/.test(message)
    ? 'noperm'
    : (/^(?:ERR )?([A-Z]+) /.exec(message)?.[1]?.toLowerCase() ?? '');
  const explanation = Object.hasOwn(EXPLANATIONS, word) ? EXPLANATIONS[word] : undefined;
  return explanation === undefined ? { reason: 'other', explanation: message } : { reason: word, explanation };
}
