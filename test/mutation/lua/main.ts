import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { createVitest } from 'vitest/node';
import { commandLine } from '../../../services/shared/process/command-line.ts';
import { RedisProcess } from '../../support/redis-process.ts';
import { type LuaMutant, luaMutants } from './lua-mutants.ts';

const USAGE = `Changes the broker's Lua scripts in one place at a time, and runs the tests that should notice.

${commandLine('mutation:lua', ['--script', 'publish'], process.env)}

  --script NAME   only this script; may be repeated
  --line N        only changes in this line; may be repeated
  --list          only lists the changes
  --help          prints this
`;

const SCRIPTS = new URL('../../../services/shared/broker/redis/scripts/', import.meta.url);

/** The tests of scripts that use the relay registry, and those of scripts that check an epoch. */
const REGISTRY_TESTS = ['contract/redis-relay-registry'];
const EPOCH_TESTS = [
  'contract/redis-broker',
  'contract/simulated-redis-matches-redis',
  'integration/redis-signals-are',
];
const TESTS: Readonly<Record<string, readonly string[]>> = {
  entries: REGISTRY_TESTS,
  exchange: REGISTRY_TESTS,
  registry: REGISTRY_TESTS,
  relays: REGISTRY_TESTS,
  server: [...EPOCH_TESTS, ...REGISTRY_TESTS],
};

const many = { type: 'string', multiple: true, default: [] as string[] } as const;
const flag = { type: 'boolean', default: false } as const;
const { values } = parseArgs({ options: { script: many, line: many, list: flag, help: flag } });
const all = readdirSync(SCRIPTS).map((file) => file.replace('.lua', ''));
if (values.help || values.script.some((name) => !all.includes(name))) {
  console.info(`${USAGE}\nScripts: ${all.join(', ')}`);
  process.exit(values.help ? 0 : 2);
}

const vitest = await createVitest('test', {
  config: fileURLToPath(new URL('vitest.config.ts', import.meta.url)),
  watch: false,
  reporters: [{}],
});

/** Returns which test fails with a script, and how; undefined if all pass. */
async function failure(name: string, lua: string): Promise<string | undefined> {
  await using redis = await RedisProcess.start(); // a changed script may never end
  vitest.provide('redisUrl', redis.url);
  vitest.provide('changedScript', { file: `${name}.lua`, lua });
  vitest.state.filesMap.clear(); // the results of the last run
  const { testModules, unhandledErrors } = await vitest.start([...(TESTS[name] ?? EPOCH_TESTS)]);
  for (const module of testModules) {
    for (const test of module.children.allTests('failed'))
      return `${test.fullName}: ${test.result().errors?.[0]?.message}`;
    for (const suite of module.children.allSuites()) {
      const [error] = suite.errors();
      if (error) return `${suite.fullName}: ${error.message}`;
    }
    const [error] = module.errors();
    if (error) return error.message;
  }
  return unhandledErrors.length > 0 ? String(unhandledErrors[0]) : undefined;
}

/** Tries the changes of one script. Returns how many were noticed. */
async function countNoticed(name: string, mutants: readonly LuaMutant[]): Promise<number> {
  let noticed = 0;
  for (const { line, change, lua } of mutants) {
    const reason = await failure(name, lua);
    if (reason !== undefined) noticed += 1;
    console.info(`${name}.lua:${line} ${oneLine(change)}\n    ${oneLine(reason ?? 'SURVIVED')}`);
  }
  return noticed;
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ').slice(0, 160);
}

for (const name of values.script.length > 0 ? values.script : all) {
  const lua = readFileSync(new URL(`${name}.lua`, SCRIPTS), 'utf8');
  const mutants = luaMutants(lua).filter(({ line }) => values.line.length === 0 || values.line.includes(String(line)));
  if (values.list) {
    for (const { line, change } of mutants) console.info(`${name}.lua:${line} ${oneLine(change)}`);
    continue;
  }
  const reason = await failure(name, lua);
  if (reason !== undefined) throw new Error(`fails without a change: ${reason}`);
  console.info(`${name}.lua: ${await countNoticed(name, mutants)} of ${mutants.length} changes were noticed`);
}
await vitest.close();
