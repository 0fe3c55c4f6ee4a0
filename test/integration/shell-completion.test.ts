import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCommand } from '../support/command-line.ts';
import { findProgram } from '../support/find-program.ts';
import { slowdown } from '../support/slowdown.ts';

const folder = mkdtempSync(join(tmpdir(), 'heliograph-completion-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Prints the words of the line, so that a test sees what the shell has completed. */
const COMMAND = 'heliograph() { printf "[%s]" "$@"; printf "\\n"; }';

const SHELLS = {
  bash: {
    arguments: ['--norc', '--noprofile', '-i'],
    prepare: `bind 'set bell-style none'; bind 'set enable-bracketed-paste off'`,
  },
  zsh: { arguments: ['-f', '-i'], prepare: `unset zle_bracketed_paste; autoload -Uz compinit && compinit -u -D` },
} as const;

describe.each(['bash', 'zsh'] as const)('completion in %s', (shell) => {
  const { arguments: args, prepare } = SHELLS[shell];
  let program: string;

  beforeAll(async () => {
    program = findProgram(shell, shell);
    const { code, stdout, stderr } = await runCommand(['completion', shell]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    writeFileSync(join(folder, shell), `${prepare}\n${stdout}\n${COMMAND}\n`);
    writeFileSync(join(folder, 'a file.env'), '');
  });

  /** Types lines into an interactive shell, whose terminal is a real one. Returns the words of each command that it ran. */
  function type(...lines: readonly string[]): readonly string[] {
    const input = [`cd '${folder}'`, `. ./${shell}`, ...lines, 'exit'].map((line) => `${line}\n`).join('');
    const terminal = findProgram('script', 'bsdutils');
    const command = [program, ...args].join(' ');
    const output = execFileSync(terminal, ['-qec', command, '/dev/null'], {
      ...{ input, encoding: 'utf8', timeout: 50_000 * slowdown() },
      env: { PATH: process.env.PATH, HOME: folder, TERM: 'dumb', PS1: '$ ', LC_ALL: 'C.UTF-8' },
    });
    return output.split(/\r?\n/).filter((line) => /^(\[[^\]]*\])+\s*$/.test(line));
  }

  it('completes commands, options and their values, wherever they are in the line', () => {
    expect(
      type(
        'heliograph pub\tchat --dat\t1',
        'heliograph --env-file pub can\t--transp\tsse --int\t5s',
        'heliograph doc\tout\t',
        'heliograph loadt\t--pres\tsmo\t--topic-spr\tzi\t',
        'heliograph comp\tzs\t',
        'heliograph publish --data doc\t',
      ).map((line) => line.trim()),
    ).toEqual([
      '[publish][chat][--data][1]',
      '[--env-file][pub][canary][--transport][sse][--interval][5s]',
      '[doctor][outbox]',
      '[loadtest][--preset][smoke][--topic-spread][zipf]',
      '[completion][zsh]',
      '[publish][--data][doc]',
    ]);
  });

  it('completes the names of files', () => {
    expect(type('heliograph relay --env-file a\\ f\t')).toEqual(['[relay][--env-file][a file.env]']);
  });
});

it('refuses another shell', async () => {
  const { code, stderr } = await runCommand(['completion', 'fish']);
  expect(code).toBe(2);
  expect(stderr).toContain('Allowed choices are bash, zsh');
});
