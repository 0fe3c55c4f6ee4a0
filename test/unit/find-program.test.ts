import { describe, expect, it } from 'vitest';
import { findProgram, installMissing, type Machine } from '../support/find-program.ts';

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
      for (const name of args) installed.add(`/usr/bin/${name}`);
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

  it('by installing its package, on Debian as root, while no other run installs', () => {
    const { found, commands } = machine();
    expect(findProgram('chromium', 'chromium', found)).toBe('/usr/bin/chromium');
    expect(commands).toEqual([
      expect.stringMatching(/^flock \S+ sh -c apt-get update .* && apt-get install .* chromium$/),
    ]);
  });

  it('by installing all packages at once, those of missing programs only', () => {
    const { found, commands } = machine({ installed: ['/usr/bin/curl'] });
    const programs = [
      ['nginx', 'nginx'],
      ['curl', 'curl'],
      ['ip', 'iproute2'],
    ] as const;
    installMissing(programs, found);
    expect(commands).toEqual([expect.stringMatching(/ nginx iproute2$/)]);
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
