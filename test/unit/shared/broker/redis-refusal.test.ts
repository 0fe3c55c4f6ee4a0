import { expect, it } from 'vitest';
import { parseRefusal } from '../../../../services/shared/broker/redis/redis-refusal.ts';

function replied(message: string): Error {
  return Object.assign(new Error(message), { name: 'ReplyError' });
}

it.each([
  ["OOM command not allowed when used memory > 'maxmemory'.", 'oom', 'out of memory'],
  ['MISCONF Redis is configured to save RDB snapshots, but it is unable to', 'misconf', 'cannot save'],
  ['NOREPLICAS Not enough good replicas to write.', 'noreplicas', 'too few replicas'],
  ["READONLY You can't write against a read only replica.", 'readonly', 'is a replica'],
  ["NOPERM this user has no permissions to run the 'evalsha' command", 'noperm', 'lacks a permission'],
  ['LOADING Redis is loading the dataset in memory', 'loading', 'is loading'],
  ['BUSY Redis is busy running a script.', 'busy', 'a script of another client'],
  ['CLUSTERDOWN Hash slot not served', 'clusterdown', 'is down'],
  ["MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.", 'masterdown', 'lost its master'],
  ['ERR OOM command not allowed in a script', 'oom', 'out of memory'], // as scripts report it
  [
    "ERR The user executing the script can't run this command or subcommand script: 1, on @user_script:1.",
    'noperm',
    'lacks a permission',
  ],
  ['ERR ACL failure in script: User is not allowed to run the command script: 1', 'noperm', 'lacks a permission'],
])('the reply %s is a refusal for a known reason', (message, reason, explanation) => {
  expect(parseRefusal(replied(message))).toEqual({ reason, explanation: expect.stringContaining(explanation) });
});

it.each([
  'ERR unknown command',
  'WRONGTYPE Operation against a key',
  'lowercase',
  'TOSTRING is no reason',
  'the OOM is elsewhere',
])('any other reply, such as %s, is a refusal of the kind other, with the reply itself', (message) => {
  expect(parseRefusal(replied(message))).toEqual({ reason: 'other', explanation: message });
});

it('redirections of Redis Cluster and lost connections are no refusals', () => {
  const redirections = [
    'MOVED 1 127.0.0.1:7',
    'ASK 1 127.0.0.1:7',
    'TRYAGAIN Multiple keys',
    "CROSSSLOT Keys in request don't",
  ];
  for (const message of redirections) expect(parseRefusal(replied(message))).toBeUndefined();
  expect(parseRefusal(replied('the reply was MOVED 1 somewhere'))?.reason).toBe('other');
  for (const error of [new Error('OOM is in a name'), 'OOM', undefined, { name: 'ReplyError', message: 'OOM x' }]) {
    expect(parseRefusal(error)).toBeUndefined();
  }
});
