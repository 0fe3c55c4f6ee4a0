import { execFileSync } from 'node:child_process';
import { accessSync, constants, existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';

const APT_LOCK = join(tmpdir(), 'heliograph-apt.lock');

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
      execFileSync(program, args, { env, stdio: ['ignore', 'ignore', 'inherit'], timeout: 1_200_000 });
    },
  };
}

/** Finds a program on the PATH. If it is missing, installs its package on Debian as root, else throws with instructions. */
export function findProgram(name: string, debianPackage: string, machine: Machine = thisMachine()): string {
  installMissing([[name, debianPackage]], machine);
  const found = onPath(name, machine);
  if (found) return found;
  throw new Error(`the tests need ${name}: put it on the PATH (on Debian: apt-get install ${debianPackage})`);
}

/** Installs the packages of the programs that are not on the PATH, all at once, on Debian as root; elsewhere nothing. */
export function installMissing(
  programs: readonly (readonly [name: string, debianPackage: string])[],
  machine: Machine = thisMachine(),
): void {
  const missing = programs.filter(([name]) => !onPath(name, machine));
  if (missing.length === 0 || !machine.isDebian || !machine.isRoot) return;
  const packages = missing.map(([, debianPackage]) => debianPackage);
  console.info(`installing ${packages.join(', ')}, since the PATH lacks ${missing.map(([name]) => name).join(', ')}`);
  // Other test runs may install at the same time: apt-get itself does not wait for the lists of packages.
  machine.run('flock', [APT_LOCK, 'sh', '-c', 'apt-get update -qq && apt-get install -y -qq "$@"', 'sh', ...packages]);
}

/** Returns the path of a program on the PATH; undefined if it is missing. */
export function onPath(name: string, machine: Machine): string | undefined {
  return machine.path
    .split(delimiter)
    .map((folder) => join(folder, name))
    .find((file) => machine.isExecutable(file));
}
