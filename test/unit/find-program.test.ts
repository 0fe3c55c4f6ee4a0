import { describe, expect, it } from 'vitest';
import { findProgram, type Machine } from '../support/find-program.ts';

function machine(options: Partial<Machine> & { installed?: string[] } = {}) {
  const installed = new Set(options.installed ?? []);
  const commands: string[] = [];
  const found: Machine = {
    path: '/usr/local/bin:/usr/bin',
    isRoot: true,
    isDebian: true,
    isExecutable: (file) => installed.has(file),
    run(program, args) {
      commands.push([program, ...args].join(' '));
      if (args[0] === 'install') installed.add(`/usr/bin/${args.at(-1)}`);
    },
    ...options,
  };
  return { found, commands };
}

describe('the tests find a program', () => {
  it('on the PATH, the first of several', () => {
    const { found, commands } = machine({ installed: ['/usr/bin/redis-server', '/usr/local/bin/redis-server'] });
    expect(findProgram('redis-server', 'redis-server', found)).toBe('/usr/local/bin/redis-server');
    expect(commands).toEqual([]);
  });

  it('by installing its package, on Debian as root', () => {
    const { found, commands } = machine();
    expect(findProgram('chromium', 'chromium', found)).toBe('/usr/bin/chromium');
    expect(commands).toEqual(['apt-get update -qq', 'apt-get install -y -qq chromium']);
  });

  it.each([
    ['not root', { isRoot: false }],
    ['no Debian', { isDebian: false }],
    ['a package without the program', { run: () => {} }],
  ])('or explain what to do: %s', (_, options) => {
    const { found } = machine(options);
    expect(() => findProgram('nginx', 'nginx', found)).toThrow(
      'the tests need nginx: put it on the PATH (on Debian: apt-get install nginx)',
    );
  });
});
