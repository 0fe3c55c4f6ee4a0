import { execFileSync } from 'node:child_process';
import { accessSync, constants, existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** The system functions needed to find a program; a test can pass its own. */
export interface Machine {
  readonly path: string;
  readonly isRoot: boolean;
  readonly isDebian: boolean;
  isExecutable(file: string): boolean;
  run(program: string, args: readonly string[]): void;
}

/** This machine. */
export function thisMachine(): Machine {
  return {
    path: process.env.PATH ?? '',
    isRoot: process.getuid?.() === 0,
    isDebian: existsSync('/etc/debian_version'),
    isExecutable(file) {
      try {
        accessSync(file, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    },
    run(program, args) {
      // RUNLEVEL keeps Debian from starting the service that comes with a package.
      const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' };
      execFileSync(program, args, { env, stdio: ['ignore', 'ignore', 'inherit'], timeout: 600_000 });
    },
  };
}

/** Finds a program on the PATH. If it is missing, installs its package on Debian as root, else throws with instructions. */
export function findProgram(name: string, debianPackage: string, machine: Machine = thisMachine()): string {
  const found = onPath(name, machine);
  if (found) return found;
  if (machine.isDebian && machine.isRoot) {
    console.info(`installing ${debianPackage}, since there is no ${name} on the PATH`);
    machine.run('apt-get', ['update', '-qq']);
    machine.run('apt-get', ['install', '-y', '-qq', debianPackage]);
    const installed = onPath(name, machine);
    if (installed) return installed;
  }
  throw new Error(`the tests need ${name}: put it on the PATH (on Debian: apt-get install ${debianPackage})`);
}

/** Returns the path of a program on the PATH; undefined if it is missing. */
export function onPath(name: string, machine: Machine): string | undefined {
  return machine.path
    .split(delimiter)
    .map((folder) => join(folder, name))
    .find((file) => machine.isExecutable(file));
}
