import { toJsonText } from '../../services/shared/update/json-text.ts';
import type { UpdateBody } from '../../services/shared/update/update.ts';

/** The body of an update with `data` as a value, for tests. */
export interface PlainBody extends Omit<UpdateBody, 'data'> {
  readonly data?: unknown;
}

/** Encodes `data` as a webhook does. */
export function updateBody({ data, ...rest }: PlainBody): UpdateBody {
  const text = toJsonText(data);
  return { ...rest, ...(text === undefined ? {} : { data: text }) };
}
