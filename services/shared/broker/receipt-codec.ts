import { MAX_TOPICS_PER_REQUEST } from '../protocol/publish-request.ts';
import { isTopic } from '../update/topic.ts';
import { isVersion } from '../update/update.ts';
import type { DeliveryReceipt, ReceiptQuery, ReceiptReply } from './receipts.ts';

/** Renders a question as a signal: its id and its topics, which hold no spaces. */
export function encodeQuery({ id, topics }: ReceiptQuery): string {
  return [id, ...topics].join(' ');
}

/** Reads a question; undefined where it is none. */
export function decodeQuery(text: string): ReceiptQuery | undefined {
  const [id = '', ...topics] = text.split(' ');
  if (!/^[\w-]{1,64}$/.test(id)) return undefined;
  if (topics.length === 0 || topics.length > MAX_TOPICS_PER_REQUEST || !topics.every(isTopic)) return undefined;
  return { id, topics };
}

/** Renders an answer: JSON, four numbers or null for each topic. */
export function encodeReply(answer: ReceiptReply): string {
  return JSON.stringify(
    answer.map((receipt) => receipt && [receipt.version, receipt.told, receipt.listening, receipt.behind]),
  );
}

/** Reads an answer about so many topics; undefined where it is none. More numbers may come to be added. */
export function decodeReply(text: string, topics: number): ReceiptReply | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!Array.isArray(value) || value.length !== topics) return undefined;
  const answer: (DeliveryReceipt | undefined)[] = [];
  for (const item of value) {
    if (item === null) {
      answer.push(undefined);
      continue;
    }
    if (!Array.isArray(item) || item.length < 4 || !item.every(isVersion)) return undefined;
    const [version, told, listening, behind] = item as [number, number, number, number];
    answer.push({ version, told, listening, behind });
  }
  return answer;
}
