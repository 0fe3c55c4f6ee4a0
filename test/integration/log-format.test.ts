import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { startProgram } from '../support/child-program.ts';
import { runShell } from '../support/run-shell.ts';

const LOADER = fileURLToPath(new URL('../support/typescript-loader.mjs', import.meta.url));
const FIXTURE = fileURLToPath(new URL('../support/process-fixture.ts', import.meta.url));
/** A process that logs a few lines and exits by itself. */
const ENV = { ADMIN_HOST: '127.0.0.1', FIXTURE_DOES: 'fail-at-start' };

/** Runs the process in a terminal, and returns the lines that it shows. */
async function linesInTerminal(env: Record<string, string>): Promise<readonly string[]> {
  const command = `"${process.execPath}" --import "${LOADER}" "${FIXTURE}"`;
  const output = await runShell(`env -u CI script -qec '${command}' /dev/null || true`, {
    ...{ ...ENV, TERM: 'xterm-256color', ...env },
  });
  return output.trim().split(/\r?\n/);
}

async function linesInPipe(env: Record<string, string>): Promise<readonly string[]> {
  const program = startProgram({ file: FIXTURE, env: { ...ENV, ...env } });
  await program.ended;
  return program.output().stdout.trim().split('\n');
}

const TEXT = /^\[\d\d:\d\d:\d\d\.\d{3}\] (INFO|FATAL) \(fixture\): [a-z]/;

describe('logs', () => {
  it('are one readable line each in a terminal, in colour unless NO_COLOR is set', async () => {
    const plain = await linesInTerminal({ NO_COLOR: '1' });
    expect(plain.length).toBeGreaterThan(3);
    for (const line of plain) expect(line).toMatch(TEXT);
    expect(plain.at(-2)).toContain('could not start: second: its file is missing');
    const coloured = await linesInTerminal({});
    expect(coloured.length).toBe(plain.length);
    for (const line of coloured) expect(line).toContain('\x1b[');
  });

  it('are JSON everywhere else', async () => {
    for (const line of await linesInPipe({})) expect(JSON.parse(line)).toMatchObject({ name: 'fixture' });
  });

  it('are what LOG_FORMAT says', async () => {
    for (const line of await linesInTerminal({ LOG_FORMAT: 'json' })) expect(line).toMatch(/^\{"level":\d/);
    for (const line of await linesInPipe({ LOG_FORMAT: 'text' })) expect(line).toMatch(TEXT);
    const program = startProgram({ file: FIXTURE, env: { ...ENV, LOG_FORMAT: 'xml' } });
    expect((await program.ended).code).toBe(1);
    expect(program.output().stderr).toContain('LOG_FORMAT must be one of: auto, json, text');
  });
});
