// A service for the tests of how a process starts and stops. FIXTURE_DOES selects its behaviour.
import { setTimeout as wait } from 'node:timers/promises';
import { createHttpServer } from '../../services/shared/http/http-server.ts';
import { runProcess } from '../../services/shared/process/run-process.ts';
import { StartError } from '../../services/shared/start-error.ts';

const BEHAVIOURS = [
  'run',
  'hang-at-stop',
  'fail-at-stop',
  'fail-at-start',
  'throw-at-start',
  'hang-at-start',
  'reject-later',
  'throw-later',
  'abort-later',
] as const;

await runProcess({
  name: 'fixture',
  env: process.env,
  defaultAdminPort: 0,
  readConfig: (env) => ({
    does: env.oneOf('FIXTURE_DOES', BEHAVIOURS, 'run'),
    port: env.port('FIXTURE_PORT', 0),
    delayMs: env.durationMs('FIXTURE_DELAY', { default: '1s' }),
  }),
  ports: ({ port }) => [{ host: '127.0.0.1', port, setting: 'FIXTURE' }],
  async main({ config, lifecycle, logger, abort }) {
    const note = (name: string) => ({
      start: () => logger.info(`${name} started`),
      stop: () => logger.info(`${name} stopped`),
    });
    await lifecycle.start('first', note('first'));
    const server = createHttpServer({ host: '127.0.0.1', port: config.port, handler: (_, res) => void res.end('hi') });
    await lifecycle.start('server', server);
    await lifecycle.start('second', {
      async start() {
        if (config.does === 'fail-at-start') throw new StartError('its file is missing');
        if (config.does === 'throw-at-start') throw new TypeError('a mistake');
        if (config.does === 'hang-at-start') await new Promise(() => {});
      },
      async stop() {
        if (config.does === 'hang-at-stop') await new Promise(() => {});
        if (config.does === 'fail-at-stop') throw new Error('a part that cannot stop');
      },
    });
    await lifecycle.start('third', note('third'));
    if (config.does === 'reject-later') void wait(1).then(() => Promise.reject(new Error('an unhandled rejection')));
    if (config.does === 'throw-later')
      setTimeout(() => {
        throw new Error('an uncaught exception');
      }, 1);
    if (config.does === 'abort-later') setTimeout(() => abort(new Error('the cluster has other settings')), 1);
    logger.info('running');
  },
});
