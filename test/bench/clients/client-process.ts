// A process that holds clients, so that what they cost is not the server's.
import { ClientPopulation } from './client-pool.ts';
import type { Answer, Asked, Question } from './messages.ts';

const population = new ClientPopulation();

async function answer(question: Question): Promise<Omit<Answer, 'id'>> {
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

process.on('message', ({ id, question }: Asked) => {
  const tell = (text: Omit<Answer, 'id'>) => process.send?.({ id, ...text } satisfies Answer);
  answer(question).then(tell, (error: unknown) => tell({ failure: String(error) }));
});
process.on('disconnect', () => process.exit());
