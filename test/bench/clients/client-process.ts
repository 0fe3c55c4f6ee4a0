// A process that holds clients, to keep their cost out of the server process.
import { ClientPool } from './client-pool.ts';
import type { ClientRequest, ClientResponse, RequestEnvelope } from './messages.ts';

const population = new ClientPool();

async function handle(request: ClientRequest): Promise<Omit<ClientResponse, 'id'>> {
  switch (request.type) {
    case 'connect':
      await population.connect(request.plan);
      return {};
    case 'ready':
      await population.ready();
      return {};
    case 'receive':
      await population.receive(request.updates);
      return {};
    case 'ages':
      return { ages: population.takeAges() };
    case 'disconnect':
      population.disconnect();
      return {};
  }
}

process.on('message', ({ id, request }: RequestEnvelope) => {
  const respond = (response: Omit<ClientResponse, 'id'>) =>
    process.send?.({ id, ...response } satisfies ClientResponse);
  handle(request).then(respond, (error: unknown) => respond({ failure: String(error) }));
});
process.on('disconnect', () => process.exit());
