import type { TestProject } from 'vitest/node';
import { type DockerAccess, docker, startDockerEngine } from './docker-engine.ts';
import { buildOlderImage, type Images, prepareImages } from './images.ts';

/** What the tests of this folder get: an engine with the images; if there is none, why (the other members are empty). */
export interface DockerLab extends DockerAccess {
  readonly images: Images;
  readonly unavailable?: string;
}

declare module 'vitest' {
  interface ProvidedContext {
    docker: DockerLab;
  }
}

/**
 * Starts an engine if none answers, and builds the images, once before all tests of this folder. `HELIOGRAPH_SAVE_IMAGES`
 * names an archive to save them in, and an older release's, for a cluster that runs them.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const engine = await startDockerEngine().catch((error: Error) => error);
  if (engine instanceof Error) {
    console.warn(`The image and Compose are not tested: ${engine.message}`);
    const images = { heliograph: '', redis: '', missingServices: [] };
    project.provide('docker', { host: '', config: '', images, unavailable: engine.message });
    return async () => {};
  }
  try {
    const images = await prepareImages(engine);
    console.info(`Docker: ${engine.isOwn ? 'an engine of the tests' : engine.host}, image ${images.heliograph}`);
    if (images.missingServices.length > 0) {
      console.warn(`No registry can be reached: Compose runs without ${images.missingServices.join(', ')}`);
    }
    const archive = process.env.HELIOGRAPH_SAVE_IMAGES;
    if (archive) {
      const older = await buildOlderImage(engine);
      await docker(engine, ['save', '--output', archive, images.heliograph, images.redis, ...older]);
    }
    project.provide('docker', { host: engine.host, config: engine.config, images });
  } catch (error) {
    await engine.stop();
    throw error;
  }
  return () => engine.stop();
}
