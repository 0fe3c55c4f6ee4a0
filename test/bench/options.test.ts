import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { startProgram } from '../support/child-program.ts';
import { BENCHES } from './benches.ts';
import { parseBenchOptions, UsageError } from './options.ts';

async function bench(...args: string[]) {
  const program = startProgram({ file: 'test/bench/main.ts', args, env: { PATH: process.env.PATH ?? '' } });
  const { code } = await program.ended;
  return { code, ...program.output() };
}

const LOAD = 'relays=1,updates=1,clients=1,topics=1';

describe('npm run bench', () => {
  it.each([
    [['--onyl', 'fan-out'], /^Unknown option '--onyl'$/],
    [['fan-out'], /^Unexpected argument 'fan-out'.*$/],
    [['--only', 'fanout'], /^unknown bench: fanout; available: fan-out, .*http-fan-out/],
    [
      ['--against', 'no-such-build'],
      /^--against no-such-build: neither the folder of a build, nor a commit of this clone$/,
    ],
    [['--against', 'test/bench'], /^--against test\/bench: this folder has no build: relay\/main\.js is missing$/],
    [['--json', 'no/such/folder/file.json'], /^--json .*: there is no folder no\/such\/folder$/],
    [['--capacity', LOAD, '--only', 'broker'], /^--capacity takes no other option than --quick and --no-build$/],
    [['--capacity', 'relays=1'], /^--capacity needs relays=N,.*; missing: updates, clients, topics$/],
  ])('refuses %j with one line', (args, reason) => {
    expect(() => parseBenchOptions(args)).toThrow(UsageError);
    expect(() => parseBenchOptions(args)).toThrow(reason);
  });

  it('exits with 2 and the reason alone, before it runs anything', async () => {
    const { code, stdout, stderr } = await bench('--onyl', 'fan-out');
    expect(stderr).toBe("Unknown option '--onyl'\n");
    expect(stdout).toBe('');
    expect(code).toBe(2);
  });

  it('prints its options and benches, and runs none', async () => {
    const { code, stdout, stderr } = await bench('--help');
    for (const { name, description } of BENCHES) {
      expect(stdout).toMatch(new RegExp(`^  ${name} `, 'm'));
      expect(stdout).toContain(description);
    }
    for (const option of ['only', 'quick', 'against', 'json', 'capacity', 'no-build', 'help'])
      expect(stdout).toContain(`  --${option} `);
    expect(stderr).toBe('');
    expect(code).toBe(0);
  });

  it('compares with a folder that has a build, or with a commit', () => {
    const folder = fileURLToPath(new URL('../../dist', import.meta.url));
    expect(parseBenchOptions(['--against', folder]).against).toEqual({ folder });
    expect(parseBenchOptions(['--against', 'HEAD']).against).toEqual({ commit: 'HEAD' });
  });

  it('plans for a load', () => {
    const { load, only, quick } = parseBenchOptions(['--capacity', LOAD, '--quick']);
    expect(load).toEqual({ relays: 1, updates: 1, clients: 1, topics: 1 });
    expect([only, quick]).toEqual([undefined, true]);
  });
});
