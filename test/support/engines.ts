import { loadUws } from '../../services/relay/engine/uws-engine.ts';

/** The engines that a relay can run on here, as values of RELAY_ENGINE. */
export const ENGINES: readonly ('uws' | 'node')[] = canLoadUws() ? ['uws', 'node'] : ['node'];

function canLoadUws(): boolean {
  try {
    loadUws();
    return true;
  } catch {
    console.warn('uWebSockets.js has no binary for this machine: tests run with RELAY_ENGINE=node only');
    return false;
  }
}

/** The engine of relays in tests that do not choose one: `HELIOGRAPH_TEST_ENGINE`, by default as in production. */
export const TEST_ENGINE: string = process.env.HELIOGRAPH_TEST_ENGINE || 'auto';

/** Whether several processes of these relays can share a port: `node` cannot on old versions of Node. */
export const CAN_SHARE_PORTS: boolean = TEST_ENGINE !== 'node' || Number.parseInt(process.versions.node, 10) >= 24;
