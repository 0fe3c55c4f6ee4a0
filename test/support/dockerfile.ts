import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** What npm need not ask the registry for. */
const NPM = { npm_config_prefer_offline: 'true', npm_config_audit: 'false', npm_config_fund: 'false' };

/** One instruction of a Dockerfile: `COPY`, and the rest of its line. */
export interface Instruction {
  readonly name: string;
  readonly rest: string;
}

/** A stage, from its `FROM` on. */
export interface Stage {
  readonly name: string;
  /** An image, or an earlier stage. */
  readonly base: string;
  readonly instructions: readonly Instruction[];
}

/** Reads a Dockerfile. */
export function parseDockerfile(text: string): readonly Stage[] {
  const lines = text
    .replace(/^\s*#.*\n/gm, '')
    .replace(/\\\n\s*/g, '')
    .split('\n')
    .filter((line) => line.trim() !== '');
  const stages: { name: string; base: string; instructions: Instruction[] }[] = [];
  for (const line of lines) {
    const [, name = '', rest = ''] = /^([A-Z]+)\s+(.*)$/.exec(line) ?? [];
    if (name === '') throw new Error(`no instruction of a Dockerfile: ${line}`);
    const [, base = '', stage = ''] = (name === 'FROM' && /^(\S+) AS (\S+)$/.exec(rest)) || [];
    if (base !== '') stages.push({ name: stage, base, instructions: [] });
    else stages.at(-1)?.instructions.push({ name, rest });
  }
  return stages;
}

/** The only instruction of its name in a stage, or an empty text. */
export function only(stage: Stage, name: string): string {
  const found = stage.instructions.filter((instruction) => instruction.name === name);
  if (found.length > 1) throw new Error(`${stage.name} has ${found.length} ${name}`);
  return found[0]?.rest ?? '';
}

/** What a `COPY` copies: from which stage, or from the repository, and its paths there. */
export function parseCopy(rest: string): { from: string | undefined; sources: string[]; target: string } {
  const words = rest.split(/\s+/);
  const from = words[0]?.startsWith('--from=') ? words.shift()?.slice('--from='.length) : undefined;
  const target = words.pop() ?? '';
  return { from, sources: words, target };
}

/** The repository's files that reach a build: those that git knows or would add, less those that .dockerignore names. */
export function buildContext(): readonly string[] {
  const git = ['ls-files', '--cached', '--others', '--exclude-standard'];
  const files = execFileSync('git', git, { cwd: ROOT, encoding: 'utf8' }).split('\n');
  const [first, ...rest] = readFileSync(join(ROOT, '.dockerignore'), 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'));
  if (first !== '*' || rest.some((line) => !line.startsWith('!'))) {
    throw new Error('.dockerignore must shut out everything and then name what is let in');
  }
  const allowed = rest.map((line) => line.slice(1));
  return files.filter((file) => allowed.some((path) => file === path || file.startsWith(`${path}/`)));
}

/**
 * Builds what Docker would, into `<folder>/<stage>/app`, with this machine's Node and npm instead of the image's: each
 * stage from those before it, the repository as a clean clone has it, and nothing of its node_modules or dist.
 * Refuses to run commands that name paths outside of the stage; of the last stage it runs none.
 */
export function buildStages(stages: readonly Stage[], folder: string): void {
  for (const stage of stages) {
    const app = join(folder, stage.name, 'app');
    mkdirSync(app, { recursive: true });
    const base = join(folder, stage.base);
    if (existsSync(base)) cpSync(base, join(folder, stage.name), { recursive: true });
    for (const { name, rest } of stage.instructions) {
      if (name === 'COPY') copy(rest, app, folder);
      if (name !== 'RUN' || stage === stages.at(-1)) continue;
      if (/(^|[\s=])\//.test(rest)) throw new Error(`not run, since it names a path outside of the stage: ${rest}`);
      const options = { cwd: app, env: { ...process.env, ...NPM }, timeout: 300_000 };
      execFileSync('sh', ['-ec', rest], { ...options, stdio: ['ignore', 'ignore', 'pipe'] });
    }
  }
}

function copy(rest: string, app: string, folder: string): void {
  const { from, sources, target } = parseCopy(rest);
  for (const source of sources) {
    const into = target.endsWith('/') ? join(app, target, basename(source)) : join(app, target);
    if (from !== undefined) {
      cpSync(join(folder, from, source), into, { recursive: true });
      continue;
    }
    const files = buildContext().filter((file) => file === source || file.startsWith(`${source}/`));
    if (files.length === 0) throw new Error(`COPY ${source}: there is no such file`);
    for (const file of files) {
      const path = `${into}${file.slice(source.length)}`;
      mkdirSync(dirname(path), { recursive: true });
      cpSync(join(ROOT, file), path);
    }
  }
}
