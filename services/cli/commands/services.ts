import type { Command } from 'commander';

/** The main file of each service, loaded only when it runs: it takes over the process. */
const SERVICES: Readonly<Record<string, { readonly what: string; readonly run: () => Promise<unknown> }>> = {
  start: { what: 'run webhook, relay and chat in one process', run: () => import('../../standalone/main.ts') },
  relay: { what: 'run a relay', run: () => import('../../relay/main.ts') },
  webhook: { what: 'run a webhook', run: () => import('../../webhook/main.ts') },
  chat: { what: 'run the demo chat', run: () => import('../../chat/main.ts') },
  outbox: {
    what: 'run an outbox, which publishes what was committed in PostgreSQL',
    run: () => import('../../outbox/main.ts'),
  },
};

/** Adds the commands that run a service. Its settings are environment variables. */
export function addServiceCommands(program: Command): void {
  for (const [name, { what, run }] of Object.entries(SERVICES)) {
    program
      .command(name)
      .description(what)
      .action(async () => {
        process.setSourceMapsEnabled(true);
        await run();
      });
  }
}
