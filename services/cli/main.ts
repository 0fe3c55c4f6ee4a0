#!/usr/bin/env node
import { CommanderError } from 'commander';
import { ConfigError } from '../shared/config/config-error.ts';
import { CommandError } from './command-error.ts';
import { createProgram } from './program.ts';

const INVALID_OPTIONS = 2;

/** Adds the variables of a file to the environment, which wins over it. */
function loadEnvFile(file: string): void {
  if (!process.loadEnvFile) throw new CommandError('--env-file needs Node 20.12 or newer', INVALID_OPTIONS);
  try {
    process.loadEnvFile(file);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new CommandError(`--env-file: cannot read ${file}: ${reason}`, INVALID_OPTIONS);
  }
}

// The reader of a pipe may end first, as in `heliograph listen chat | head -1`.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') process.stderr.write(`cannot write the output: ${error.message}\n`);
  process.exit(error.code === 'EPIPE' ? 0 : 1);
});
try {
  const { env, stdin, stdout, stderr } = process;
  await createProgram({ env, stdin, stdout, stderr, loadEnvFile }).parseAsync(process.argv);
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode && INVALID_OPTIONS;
  else if (error instanceof CommandError || error instanceof ConfigError) {
    process.stderr.write(`${error.message}\n`);
    process.exitCode = error instanceof CommandError ? error.exitCode : INVALID_OPTIONS;
  } else throw error;
}
