import { Argument, type Command } from 'commander';
import type { Check } from '../checks/check.ts';
import { checkFileLimit } from '../checks/file-limit-check.ts';
import { checkPortsOf } from '../checks/port-checks.ts';
import { checkRedis } from '../checks/redis-checks.ts';
import { checkSettings, readServiceSettings, SERVICE_NAMES, type ServiceName } from '../checks/settings-check.ts';
import type { CommandContext } from '../command-context.ts';

const COLOURS: Readonly<Record<Check['status'], number>> = { ok: 32, warn: 33, fail: 31 };

/** Adds `doctor`, which checks whether a service could run here with this environment. */
export function addDoctorCommand(program: Command, context: CommandContext): void {
  program
    .command('doctor')
    .description('check the settings of a service, Redis, its ports and limits; the exit code is 1 if anything fails')
    .addArgument(new Argument('[service]', 'the service to check for').choices(SERVICE_NAMES).default('start'))
    .option('--json', 'print the checks as JSON, one a line')
    .action((service: ServiceName, options: { json?: true }) => diagnose(service, options, context));
}

async function diagnose(
  service: ServiceName,
  options: { readonly json?: true },
  { env, stdout }: CommandContext,
): Promise<void> {
  let hasFailed = false;
  const print = (checks: readonly Check[]) => {
    for (const check of checks) {
      hasFailed ||= check.status === 'fail';
      stdout.write(`${options.json ? JSON.stringify(check) : lineOf(check, stdout)}\n`);
    }
  };
  const settings = readServiceSettings(service, env);
  const { redis, problems, maxConnections } = settings;
  print(checkSettings(settings));
  if (redis && !problems.some(({ name }) => name.startsWith('REDIS_'))) print(await checkRedis(redis));
  else if (!redis && service === 'start') {
    print([{ status: 'ok', name: 'redis', text: 'not set: updates stay in the memory of the process' }]);
  }
  print(await checkPortsOf(settings));
  if (maxConnections !== undefined) print([checkFileLimit(maxConnections)]);
  if (hasFailed) process.exitCode = 1;
}

function lineOf({ status, name, text }: Check, stdout: NodeJS.WriteStream): string {
  const word = status.padEnd(4);
  // `hasColors` respects NO_COLOR.
  const shown = stdout.isTTY && stdout.hasColors() ? `\x1b[${COLOURS[status]}m${word}\x1b[0m` : word;
  return `${shown}  ${name.padEnd(8)}  ${text}`;
}
