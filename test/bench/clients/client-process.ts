// A process that holds clients, so that what they cost is not the server's.
import { ClientPool } from './client-pool.ts';
import type { ClientRequest, ClientResponse, RequestEnvelope } from './messages.ts';

const population = new ClientPool();

async function answer(question: ClientRequest): Promise<Omit<ClientResponse, 'id'>> {
  switch (question.type) {
    case 'connect':
      await population.connect(question.plan);
      return {};
    case 'receive':
      await population.receive(question.updates);
      return {};
    case 'ages':
      return { ages: population.takeAges() };
    case 'disconnect':
      population.disconnect();
      return {};
  }
}

process.on('message', ({ id, question }: RequestEnvelope) => {
  const tell = (text: Omit<ClientResponse, 'id'>) => process.send?.({ id, ...text } satisfies ClientResponse);
  answer(question).then(tell, (error: unknown) => tell({ failure: String(error) }));
});
process.on('disconnect', () => process.exit());
