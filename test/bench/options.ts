import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { commandLine } from '../../services/shared/process/command-line.ts';
import { hasCommit } from '../support/older-build.ts';
import { BENCHES } from './benches.ts';
import { type Load, parseLoad } from './capacity/capacity.ts';

/** More than all benches take on a slow machine. */
export const MAX_MINUTES = 30;

export const USAGE = `Measures what deliveries, clients, topics, relays and updates cost, and prints Markdown tables.

${commandLine('bench', ['--only', 'fan-out', '--quick'], process.env)}

  --only NAME       runs this bench; may be repeated. Default: all but the long ones
  --quick           fewer clients and rounds, approximate results
  --against BUILD   compares with another build in the same run: its folder dist, or a commit of this clone
  --json FILE       writes all measured values
  --capacity LOAD   prints what a load needs instead, from the costs of this machine; only --quick goes with it:
                    relays=200,updates=20000,clients=4000000,topics=1000000
  --no-build        uses dist as it is; default: builds it first
  --help            prints this

Stops after ${MAX_MINUTES} minutes. Benches:

${BENCHES.map(({ name, isLong, description }) => `  ${name.padEnd(18)}${isLong ? '(long) ' : ''}${description}`).join('\n')}
`;

/** An invalid command line; its message has one line. */
export class UsageError extends Error {}

/** What to run. */
export interface BenchOptions {
  readonly help: boolean;
  readonly build: boolean;
  readonly quick: boolean;
  /** Names of benches; undefined for all but the long ones. */
  readonly only: readonly string[] | undefined;
  /** The folder of another build, or a commit to build. */
  readonly against: { readonly folder: string } | { readonly commit: string } | undefined;
  /** A file to write. */
  readonly json: string | undefined;
  /** The load to plan for, instead of running benches. */
  readonly load: Load | undefined;
}

/**
 * Parses the command line.
 *
 * @throws {UsageError}
 */
export function parseBenchOptions(args: readonly string[]): BenchOptions {
  const { only, against, json, capacity, ...flags } = parse(args);
  const unknown = (only ?? []).filter((name) => !BENCHES.some((bench) => bench.name === name));
  if (unknown.length > 0) {
    const names = BENCHES.map(({ name }) => name).join(', ');
    throw new UsageError(`unknown bench: ${unknown.join(', ')}; available: ${names}`);
  }
  if (capacity !== undefined && (only ?? against ?? json) !== undefined)
    throw new UsageError('--capacity takes no other option than --quick and --no-build');
  if (json !== undefined && !existsSync(dirname(json)))
    throw new UsageError(`--json ${json}: there is no folder ${dirname(json)}`);
  return {
    help: flags.help,
    build: !flags['no-build'],
    quick: flags.quick,
    only,
    against: against === undefined ? undefined : parseBuild(against),
    json,
    load: capacity === undefined ? undefined : asUsageError(() => parseLoad(capacity)),
  };
}

function parse(args: readonly string[]) {
  const flag = { type: 'boolean', default: false } as const;
  const options = {
    only: { type: 'string', multiple: true },
    quick: flag,
    json: { type: 'string' },
    against: { type: 'string' },
    capacity: { type: 'string' },
    'no-build': flag,
    help: flag,
  } as const;
  return asUsageError(() => parseArgs({ args: [...args], options }).values);
}

function parseBuild(text: string): { folder: string } | { commit: string } {
  if (existsSync(join(text, 'relay/main.js'))) return { folder: text };
  if (existsSync(text)) throw new UsageError(`--against ${text}: this folder has no build: relay/main.js is missing`);
  if (!hasCommit(text))
    throw new UsageError(`--against ${text}: neither the folder of a build, nor a commit of this clone`);
  return { commit: text };
}

function asUsageError<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}
