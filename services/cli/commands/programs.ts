import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { CommandError } from '../command-error.ts';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

/** Adds the load test, and the programs of a checkout. */
export function addProgramCommands(program: Command): void {
  const loadtest = program
    .command('loadtest')
    .description('connect many clients, publish, and report what they received')
    .action(async (_, { args }: Command) => {
      process.argv.splice(2, Number.POSITIVE_INFINITY, ...args);
      await import('../../loadtest/main.ts');
    });
  const simulate = program
    .command('simulate')
    .description('in a checkout: run a whole cluster with faults on a virtual clock')
    .action((_, { args }: Command) => runScript('simulate', args));
  // They have a command line of their own.
  for (const command of [loadtest, simulate]) {
    command.usage('[options]').helpOption(false).allowUnknownOption().allowExcessArguments();
  }
  program
    .command('bench')
    .description('in a checkout: measure what deliveries, clients, topics and relays cost')
    .action(() => runScript('bench', []));
}

/** Runs a script of package.json, which needs files that an installed package does not have. */
async function runScript(name: 'simulate' | 'bench', args: readonly string[]): Promise<void> {
  if (!existsSync(`${ROOT}test/support/typescript-loader.mjs`)) {
    throw new CommandError(
      `heliograph ${name} works in a checkout of the repository only: an installation has no tests`,
    );
  }
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
  const child = spawn(npm, ['run', '--silent', name, '--', ...args], { cwd: ROOT, stdio: 'inherit' });
  // A terminal sends Ctrl-C to both: the exit code is that of the script.
  process.on('SIGINT', () => {});
  process.on('SIGTERM', () => child.kill());
  const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
  process.exitCode = code ?? 128 + constants.signals[signal ?? 'SIGTERM'];
}
