import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createConnection } from 'node:net';
import { eventually } from './eventually.ts';
import { thisMachine } from './find-program.ts';

const SETPRIV = '/usr/bin/setpriv';

/** Spawns a program that the kernel kills when this process exits for any reason, if `setpriv` is installed. */
export function spawnBound(
  program: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
  stdio: StdioOptions = ['ignore', 'pipe', 'pipe'],
): ChildProcess {
  const bound = thisMachine().isExecutable(SETPRIV);
  const [file, rest] = bound ? [SETPRIV, ['--pdeathsig', 'KILL', program, ...args]] : [program, args];
  return spawn(file, rest, { stdio, env });
}

/** Kills a process, by default with SIGKILL, and waits for its exit. Harmless if it has exited already. */
export async function endProcess(child: ChildProcess, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGCONT');
  child.kill(signal);
  await exited;
}

/** Waits until a program accepts connections on a port of loopback. Throws its output if it exits before. */
export async function untilListening(child: ChildProcess, port: number): Promise<void> {
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (text) => {
      output = (output + text).slice(-10_000);
    });
  }
  await eventually(async () => {
    if (child.exitCode !== null) throw new Error(`${child.spawnfile} ended: ${output}`);
    const socket = createConnection(port, '127.0.0.1');
    try {
      await once(socket, 'connect');
    } finally {
      socket.destroy();
    }
  });
}
