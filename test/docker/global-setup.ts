import type { TestProject } from 'vitest/node';
import { startDockerEngine } from './docker-engine.ts';
import { prepareImages } from './images.ts';

/** What the tests of this folder get: an engine with the images, or why there is none. */
export type DockerLab =
  | { readonly host: string; readonly config: string; readonly images: Awaited<ReturnType<typeof prepareImages>> }
  | { readonly unavailable: string };

declare module 'vitest' {
  interface ProvidedContext {
    docker: DockerLab;
  }
}

/** Starts an engine if none answers, and builds the images, once before all tests of this folder. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const engine = await startDockerEngine().catch((error: Error) => error);
  if (engine instanceof Error) {
    console.warn(`The image and Compose are not tested: ${engine.message}`);
    project.provide('docker', { unavailable: engine.message });
    return async () => {};
  }
  try {
    const images = await prepareImages(engine);
    console.info(`Docker: ${engine.isOwn ? 'an engine of the tests' : engine.host}, image ${images.heliograph}`);
    if (images.missingServices.length > 0) {
      console.warn(`No registry can be reached: Compose runs without ${images.missingServices.join(', ')}`);
    }
    project.provide('docker', { host: engine.host, config: engine.config, images });
  } catch (error) {
    await engine.stop();
    throw error;
  }
  return () => engine.stop();
}
