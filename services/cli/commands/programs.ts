import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { Command } from 'commander';
import { STARTED_AS } from '../../shared/process/command-line.ts';
import type { CommandContext } from '../command-context.ts';
import { CommandError } from '../command-error.ts';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

/** Adds the load test, and the programs of a checkout. */
export function addProgramCommands(program: Command, { env }: CommandContext): void {
  const loadtest = program
    .command('loadtest')
    .description('connect many clients, publish, and report what they received')
    .action(async (_, { args }: Command) => {
      env[STARTED_AS] = 'loadtest';
      process.argv.splice(2, Number.POSITIVE_INFINITY, ...args);
      await import('../../loadtest/main.ts');
    });
  const simulate = program
    .command('simulate')
    .description('in a checkout: run a whole cluster with faults on a virtual clock')
    .action((_, { args }: Command) => runTestProgram('simulate', args, env));
  const bench = program
    .command('bench')
    .description('in a checkout: measure what deliveries, clients, topics and relays cost')
    .action((_, { args }: Command) => runTestProgram('bench', args, env));
  // They have a command line of their own.
  for (const command of [loadtest, simulate, bench]) {
    command.usage('[options]').helpOption(false).allowUnknownOption().allowExcessArguments();
  }
}

/** Runs a program of the tests, which an installed package does not have. */
async function runTestProgram(
  name: 'simulate' | 'bench',
  args: readonly string[],
  env: CommandContext['env'],
): Promise<void> {
  const loader = `${ROOT}test/support/typescript-loader.mjs`;
  if (!existsSync(loader)) {
    throw new CommandError(
      `heliograph ${name} works in a checkout of the repository only: an installation has no tests`,
    );
  }
  const main = `${ROOT}test/${name === 'bench' ? 'bench' : 'simulator'}/main.ts`;
  const child = spawn(process.execPath, ['--import', pathToFileURL(loader).href, main, ...args], {
    cwd: ROOT,
    env: { ...env, [STARTED_AS]: name },
    stdio: 'inherit',
  });
  // A terminal sends Ctrl-C to both: the exit code is that of the program.
  process.on('SIGINT', () => {});
  process.on('SIGTERM', () => child.kill());
  const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
  process.exitCode = code ?? 128 + constants.signals[signal ?? 'SIGTERM'];
}
