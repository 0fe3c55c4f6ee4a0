import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { findProgram } from '../support/find-program.ts';

const run = promisify(execFile);
const MODEL = new URL('./promise.pml', import.meta.url).pathname;

/** What an exhaustive search found. */
export interface SearchResult {
  /** Number of distinct states. */
  readonly states: number;
  /** The assertion that does not hold, and the steps that lead there; undefined if all hold in every state. */
  readonly counterexample?: { readonly assertion: string; readonly steps: readonly string[] };
}

/**
 * Searches every state of the model with spin.
 * @param defines macros of `promise.pml`, as `FAULTS=1`
 * @throws {Error} if the search was not complete
 */
export async function searchModel(defines: readonly string[]): Promise<SearchResult> {
  const spin = findProgram('spin', 'spin');
  const gcc = findProgram('gcc', 'gcc');
  const cwd = await mkdtemp(join(tmpdir(), 'heliograph-model-'));
  try {
    const flags = defines.map((define) => `-D${define}`);
    await run(spin, ['-a', ...flags, MODEL], { cwd });
    await run(gcc, ['-O2', '-w', '-DSAFETY', '-DHC4', '-DMEMLIM=8000', '-DVECTORSZ=2048', '-o', 'pan', 'pan.c'], {
      cwd,
    });
    // -E: a state without a next step is no error, since the number of versions is bounded.
    const { stdout } = await run('./pan', ['-E', '-m1000000'], { cwd, maxBuffer: 2 ** 26 });
    const states = Number(/(\d+) states, stored/.exec(stdout)?.[1]);
    const assertion = /assertion violated (.*) \(at depth/.exec(stdout)?.[1];
    if (assertion !== undefined) {
      const replay = await run(spin, ['-k', 'promise.pml.trail', '-T', ...flags, MODEL], { cwd, maxBuffer: 2 ** 26 });
      const steps = replay.stdout
        .split('\n')
        .filter((line) => /^(webhook|relay|server|client|master|faults)\b/.test(line));
      return { states, counterexample: { assertion, steps } };
    }
    if (!/errors: 0$/m.test(stdout) || /max search depth too small|Search not completed/.test(stdout)) {
      throw new Error(`the search was not complete:\n${stdout}`);
    }
    return { states };
  } finally {
    await rm(cwd, { recursive: true });
  }
}
