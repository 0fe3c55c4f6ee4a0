import { StartError } from '../../shared/start-error.ts';
import type { Engine, EngineOptions } from './engine.ts';
import { NodeEngine } from './node-engine.ts';
import { loadUws, type Uws, UwsEngine } from './uws-engine.ts';

/** uWebSockets.js, or `node:http` with `ws`. */
export type EngineName = 'uws' | 'node';

/** Values of `RELAY_ENGINE`. */
export const ENGINE_CHOICES = ['auto', 'uws', 'node'] as const;
export type EngineChoice = (typeof ENGINE_CHOICES)[number];

/** The version of Node's binary interface whose binary of uWebSockets.js is an old one. */
const OLD_BINARY_ABI = '115';

/** Which engine runs, and why. */
export interface EngineSelection {
  readonly name: EngineName;
  readonly reason: 'default' | 'configured' | 'no_binary';
  /** Why uWebSockets.js could not be loaded. */
  readonly cause?: Error;
  /** Whether uWebSockets.js refuses requests whose first line arrives in several segments. */
  readonly hasOldBinary: boolean;
}

/**
 * Creates the public server: uWebSockets.js, or `node:http` with `ws` if the first one cannot be loaded here.
 * @throws {StartError} if the chosen engine cannot be loaded, or the TLS files are invalid
 */
export function createEngine(
  choice: EngineChoice,
  options: EngineOptions,
): { engine: Engine; selection: EngineSelection } {
  const reason = choice === 'auto' ? 'default' : 'configured';
  const uws = choice === 'node' ? undefined : tryLoadUws();
  if (uws === undefined) {
    return { engine: new NodeEngine(options), selection: { name: 'node', reason, hasOldBinary: false } };
  }
  if (!(uws instanceof Error)) {
    const hasOldBinary = process.versions.modules === OLD_BINARY_ABI;
    return { engine: new UwsEngine(uws, options), selection: { name: 'uws', reason, hasOldBinary } };
  }
  if (choice === 'uws') {
    throw new StartError(
      `the native part of uWebSockets.js cannot be loaded on ${process.platform}-${process.arch} with Node ${process.version}: ` +
        'leave out RELAY_ENGINE=uws, or see "Engines" on the page of the relay',
      { cause: uws },
    );
  }
  const selection = { name: 'node', reason: 'no_binary', cause: uws, hasOldBinary: false } as const;
  return { engine: new NodeEngine(options), selection };
}

function tryLoadUws(): Uws | Error {
  try {
    return loadUws();
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}
