import { describe, expect, it } from 'vitest';
import { createEventReader, type StreamEvent } from '../../../services/client/event-stream.ts';

describe('a reader of Server-Sent Events', () => {
  it.each<[string, StreamEvent]>([
    ['event: ping\ndata: {}', { event: 'ping', data: '{}' }],
    ['event:ping\ndata:', { event: 'ping', data: '' }],
    ['data: {"a": "b: c"}', { data: '{"a": "b: c"}' }],
    [': a comment with data: 1', {}],
    ['id: 5\r\nid: 6', { id: '6' }],
  ])('reads the fields of %j', (text, fields) => {
    const events: StreamEvent[] = [];
    createEventReader((event) => events.push(event))(`${text}\n\n`);
    expect(events).toEqual([fields]);
  });

  it('waits for the end of an event', () => {
    const events: StreamEvent[] = [];
    const read = createEventReader((event) => events.push(event));
    for (const text of ['data: 1', '2\n', '\r', '\ndata: 3']) read(text);
    expect(events).toEqual([{ data: '12' }]);
  });
});
