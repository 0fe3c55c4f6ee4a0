import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { parse } from 'yaml';
import { findProgram } from '../support/find-program.ts';
import { extractCommit, hasCommit, OLDER_RELEASE } from '../support/older-build.ts';
import { type DockerEngine, docker } from './docker-engine.ts';

const run = promisify(execFile);
const DEPLOY = fileURLToPath(new URL('../../deploy/', import.meta.url));
/** Not among Debian's packages; its service is left out where no registry can be reached. */
const GRAFANA = 'grafana';

/** The images that the tests run, by the names in deploy/Dockerfile and deploy/compose.yaml. */
export interface Images {
  readonly heliograph: string;
  readonly redis: string;
  /** Services of deploy/compose.yaml whose image cannot be had on this machine. */
  readonly missingServices: readonly string[];
}

/**
 * Builds the product's image from the unchanged Dockerfile, and gets all others: they are pulled, or, where no registry
 * can be reached, made from Debian packages under the same names.
 */
export async function prepareImages(engine: DockerEngine): Promise<Images> {
  const compose: { services: Record<string, { image: string; build?: object }> } = parse(
    readFileSync(join(DEPLOY, 'compose.yaml'), 'utf8'),
    { merge: true },
  );
  const [, base = ''] = /^FROM (\S+) AS node$/m.exec(readFileSync(join(DEPLOY, 'Dockerfile'), 'utf8')) ?? [];
  const services = Object.entries(compose.services);
  const heliograph = services.find(([, { build }]) => build)?.[1].image ?? '';
  const redis = compose.services.redis?.image ?? '';
  if (!(await isAvailable(engine, base))) await importBase(engine, base);
  const missing: [name: string, image: string][] = [];
  for (const [name, { image, build }] of services) {
    if (!build && !(await isAvailable(engine, image))) missing.push([name, image]);
  }
  const isPackaged = ([, image]: [string, string]) => !image.startsWith(GRAFANA);
  const tags = missing.filter(isPackaged).flatMap(([, image]) => ['--tag', image]);
  if (tags.length > 0) {
    const recipe = readFileSync(join(DEPLOY, 'reference/services.Dockerfile'), 'utf8');
    await docker(engine, ['build', '--quiet', ...tags, '-'], recipe);
  }
  await docker(engine, [
    'build',
    '--quiet',
    '--tag',
    heliograph,
    '--file',
    join(DEPLOY, 'Dockerfile'),
    join(DEPLOY, '..'),
  ]);
  const missingServices = missing.filter((one) => !isPackaged(one)).map(([name]) => name);
  return { heliograph, redis, missingServices };
}

/** Builds the image of an older release from its tree. Returns its name, or nothing if this clone has no such commit. */
export async function buildOlderImage(engine: DockerEngine): Promise<readonly string[]> {
  if (!hasCommit(OLDER_RELEASE.commit)) return [];
  const image = `heliograph:${OLDER_RELEASE.name}`;
  const folder = mkdtempSync(join(tmpdir(), 'heliograph-older-'));
  try {
    await extractCommit(OLDER_RELEASE.commit, folder);
    await docker(engine, ['build', '--quiet', '--tag', image, '--file', join(folder, 'deploy/Dockerfile'), folder]);
  } finally {
    rmSync(folder, { recursive: true });
  }
  return [image];
}

/** Whether an image is there, or could be pulled. */
async function isAvailable(engine: DockerEngine, image: string): Promise<boolean> {
  const succeeds = (...args: string[]) =>
    docker(engine, args).then(
      () => true,
      () => false,
    );
  return (await succeeds('image', 'inspect', image)) || (await succeeds('pull', '--quiet', image));
}

/** Makes Debian with Node under the name that the Dockerfile starts from. */
async function importBase(engine: DockerEngine, image: string): Promise<void> {
  findProgram('mmdebstrap', 'mmdebstrap');
  const work = mkdtempSync(join(tmpdir(), 'heliograph-base-'));
  try {
    const tar = join(work, 'base.tar');
    await run(join(DEPLOY, 'reference/make-root.sh'), [tar, 'ca-certificates'], { env: process.env });
    await docker(engine, ['import', '--change', 'CMD ["node"]', tar, image]);
    await docker(engine, ['tag', image, 'debian:trixie-slim']);
  } finally {
    rmSync(work, { recursive: true });
  }
}
