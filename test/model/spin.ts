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
  /** The steps of an endless run in which the client does not catch up; undefined if there is none. */
  readonly endlessRun?: readonly string[];
}

/** Memory for fairness: enough for the processes of the model, see `NFAIR` of spin. */
const FAIRNESS = 3;

/**
 * Searches every state of the model with spin.
 * @param defines macros of `promise.pml`, as `FAULTS=1`
 * @param options.endless whether to search for endless runs too, in which every process that can go on does
 * @throws {Error} if the search was not complete
 */
export async function searchModel(
  defines: readonly string[],
  { endless = false }: { endless?: boolean } = {},
): Promise<SearchResult> {
  const spin = findProgram('spin', 'spin');
  const gcc = findProgram('gcc', 'gcc');
  const cwd = await mkdtemp(join(tmpdir(), 'heliograph-model-'));
  try {
    const flags = [...(endless ? ['LIVENESS'] : []), ...defines].map((define) => `-D${define}`);
    await run(spin, ['-a', ...flags, MODEL], { cwd });
    const kind = endless ? `-DNFAIR=${FAIRNESS}` : '-DSAFETY';
    await run(gcc, ['-O1', '-w', kind, '-DHC4', '-DMEMLIM=8000', '-DVECTORSZ=2048', '-o', 'pan', 'pan.c'], { cwd });
    // -E: a state without a next step is no error, since the number of versions is bounded. -f: weak fairness.
    const { stdout } = await run('./pan', ['-E', '-m1000000', ...(endless ? ['-a', '-f'] : [])], {
      cwd,
      maxBuffer: 2 ** 26,
    });
    const states = Number(/(\d+) states, stored/.exec(stdout)?.[1]);
    const assertion = /assertion violated (.*) \(at depth/.exec(stdout)?.[1];
    const isEndless = /acceptance cycle \(at depth/.test(stdout);
    if (assertion !== undefined || isEndless) {
      const replay = await run(spin, ['-k', 'promise.pml.trail', '-T', ...flags, MODEL], { cwd, maxBuffer: 2 ** 26 });
      const steps = replay.stdout
        .split('\n')
        .filter((line) => /^(webhook|relay|server|client|master|faults)\b/.test(line));
      return assertion === undefined ? { states, endlessRun: steps } : { states, counterexample: { assertion, steps } };
    }
    if (!/errors: 0$/m.test(stdout) || /max search depth too small|Search not completed/.test(stdout)) {
      throw new Error(`the search was not complete:\n${stdout}`);
    }
    return { states };
  } finally {
    await rm(cwd, { recursive: true });
  }
}
