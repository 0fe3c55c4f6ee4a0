import { describe, expect, it } from 'vitest';
import { luaMutants } from '../mutation/lua/lua-mutants.ts';

/** Returns the mutants of a script as `line change => text`. */
function mutantsOf(lua: string): string[] {
  return luaMutants(lua).map(({ line, change, lua: text }) => `${line} ${change} => ${text}`);
}

describe('the mutants of a Lua script', () => {
  it('lack a statement or an initial value each, but keep functions and the reply', () => {
    expect(
      mutantsOf("local a, b = 1, 2\nlocal c\nlocal function f()\n  return c\nend\nredis.call('GET')\nreturn a"),
    ).toEqual([
      "1 nil: local a, b = 1, 2 => local a, b = nil\nlocal c\nlocal function f()\n  return c\nend\nredis.call('GET')\nreturn a",
      "4 dropped: return c => local a, b = 1, 2\nlocal c\nlocal function f()\n  \nend\nredis.call('GET')\nreturn a",
      "6 dropped: redis.call('GET') => local a, b = 1, 2\nlocal c\nlocal function f()\n  return c\nend\n\nreturn a",
    ]);
  });

  it('decide each condition in both ways, and use each operator as another one', () => {
    expect(mutantsOf('if (a - 1) - b >= 0 then f() elseif not c then g() end')).toEqual([
      '1 dropped: if (a - 1) - b >= 0 then f() elseif not c then g() end => ',
      '1 true: (a - 1) - b >= 0 => if true then f() elseif not c then g() end',
      '1 false: (a - 1) - b >= 0 => if false then f() elseif not c then g() end',
      '1 - is +: a - 1 => if (a + 1) - b >= 0 then f() elseif not c then g() end',
      '1 - is +: (a - 1) - b => if (a - 1) + b >= 0 then f() elseif not c then g() end',
      '1 >= is >: (a - 1) - b >= 0 => if (a - 1) - b > 0 then f() elseif not c then g() end',
      '1 dropped: f() => if (a - 1) - b >= 0 then  elseif not c then g() end',
      '1 true: not c => if (a - 1) - b >= 0 then f() elseif true then g() end',
      '1 false: not c => if (a - 1) - b >= 0 then f() elseif false then g() end',
      '1 without not: not c => if (a - 1) - b >= 0 then f() elseif c then g() end',
      '1 dropped: g() => if (a - 1) - b >= 0 then f() elseif not c then  end',
    ]);
  });
});
