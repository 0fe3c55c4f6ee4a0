import { MAX_TOPICS_PER_REQUEST } from '../protocol/publish-request.ts';
import { isTopic } from '../update/topic.ts';
import { isVersion } from '../update/update.ts';
import type { DeliveryReceipt, ReceiptQuery, ReceiptReply } from './receipts.ts';

/** Encodes a query as its id and its topics, separated by spaces; neither contains any. */
export function encodeQuery({ id, topics }: ReceiptQuery): string {
  return [id, ...topics].join(' ');
}

/** Decodes a query; returns undefined if it is invalid. */
export function decodeQuery(text: string): ReceiptQuery | undefined {
  const [id = '', ...topics] = text.split(' ');
  if (!/^[\w-]{1,64}$/.test(id)) return undefined;
  if (topics.length === 0 || topics.length > MAX_TOPICS_PER_REQUEST || !topics.every(isTopic)) return undefined;
  return { id, topics };
}

/** Encodes a reply as JSON: four or five numbers, or null, per topic. */
export function encodeReply(reply: ReceiptReply): string {
  return JSON.stringify(
    reply.map((receipt) => {
      if (!receipt) return null;
      const { version, delivered, subscribed, behind, floor } = receipt;
      return [version, delivered, subscribed, behind, ...(floor === undefined ? [] : [floor])];
    }),
  );
}

/** Decodes a reply about `topics` topics; returns undefined if it is invalid. Ignores numbers after the fifth. */
export function decodeReply(text: string, topics: number): ReceiptReply | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!Array.isArray(value) || value.length !== topics) return undefined;
  const reply: (DeliveryReceipt | undefined)[] = [];
  for (const item of value) {
    if (item === null) {
      reply.push(undefined);
      continue;
    }
    if (!Array.isArray(item) || item.length < 4 || !item.every(isVersion)) return undefined;
    const [version, delivered, subscribed, behind, floor] = item as [number, number, number, number, number?];
    reply.push({ version, delivered, subscribed, behind, ...(floor !== undefined && { floor }) });
  }
  return reply;
}
