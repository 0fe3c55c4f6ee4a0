import { describe, expect, it } from 'vitest';
import { encodeRegister, encodeUpdateMessage } from '../../../../services/shared/protocol/server-message.ts';
import type { JsonText } from '../../../../services/shared/update/json-text.ts';
import type { Topic } from '../../../../services/shared/update/topic.ts';

const UPDATE = { topic: 'chat' as Topic, version: 7 };

describe('an update for clients', () => {
  it('has its topic and version', () => {
    expect(encodeUpdateMessage(UPDATE)).toBe('{"type":"update","topic":"chat","version":7}');
    expect(encodeRegister(UPDATE)).toBe('{"topic":"chat","version":7}');
  });

  it('has data and spread if it was published with them, and nothing that only the cluster needs', () => {
    const update = { ...UPDATE, data: '{"a":null}' as JsonText, spread: 0, trace: 'trace-of-the-cluster' };
    expect(encodeRegister(update)).toBe('{"topic":"chat","version":7,"data":{"a":null},"spread":0}');
  });
});
