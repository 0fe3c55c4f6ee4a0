import type { Answers, Digest, Published, Publishing } from '../../services/shared/broker/broker.ts';
import type { Topic } from '../../services/shared/update/topic.ts';
import type { UpdateBody } from '../../services/shared/update/update.ts';

/** A broker that only notes what it is asked to publish; `failWith` makes it fail instead. */
export class RecordingBroker implements Publishing, Answers {
  readonly partitions = 1;
  readonly published: { topic: Topic; body: UpdateBody; version: number }[] = [];
  readonly #answers = new Map<string, string>();
  failWith: Error | undefined;

  partitionOf(): number {
    return 0;
  }

  async publish(topic: Topic, body: UpdateBody): Promise<Published> {
    if (this.failWith !== undefined) throw this.failWith;
    const version = this.published.length + 1;
    this.published.push({ topic, body, version });
    return { version, history: 'recorded' };
  }

  async recallAnswer(id: string): Promise<string | undefined> {
    return this.#answers.get(id);
  }

  async keepAnswer(id: string, answer: string): Promise<void> {
    this.#answers.set(id, answer);
  }

  async digest(): Promise<Digest> {
    throw new Error('a webhook has not asked for digests so far');
  }
}
