import { describe, expect, it } from 'vitest';
import { Recorder } from '../../../../services/loadtest/measure/recorder.ts';
import { clientFigures, latencyText } from '../../../support/client-figures.ts';

describe('the recorder', () => {
  it('adds up the figures of all processes per second', () => {
    const recorder = new Recorder();
    recorder.add(clientFigures({ latency: latencyText(1, 2, 3) }));
    recorder.add(clientFigures({ latency: latencyText(100) }));
    const first = [
      clientFigures({ open: 3, handshakes: 5, deliveries: 10 }),
      clientFigures({ open: 4, deliveries: 1 }),
    ];
    expect(recorder.tick(first, { atS: 1, cpu: 0.5 })).toMatchObject({
      ...{ atS: 1, cpu: 0.5, open: 7, handshakes: 5, deliveries: 11 },
      ...{ p50: expect.closeTo(2, 1), max: expect.closeTo(100, 0) },
    });
    const second = [
      clientFigures({ open: 2, handshakes: 6, deliveries: 30 }),
      clientFigures({ open: 4, deliveries: 1 }),
    ];
    expect(recorder.tick(second, { atS: 2, cpu: undefined })).toMatchObject({
      ...{ open: 6, handshakes: 1, deliveries: 20, p50: undefined, p99: undefined, max: undefined },
    });
    expect(recorder.latency.summary()).toMatchObject({ count: 4, max: expect.closeTo(100, 0) });
    expect(recorder.series).toHaveLength(2);
  });

  it('returns the busiest second since the previous call', () => {
    const recorder = new Recorder();
    for (const [atS, utilizations] of [[0.2, 0.1], [0.9, 0.3], [0.4]].entries()) {
      for (const utilization of utilizations) recorder.add(clientFigures({ utilization }));
      recorder.tick([], { atS, cpu: atS / 10 });
    }
    expect(recorder.takeBusiest()).toEqual({ clients: 0.9, cpu: 0.1 });
    expect(recorder.takeBusiest()).toEqual({ clients: 0, cpu: undefined });
  });
});
