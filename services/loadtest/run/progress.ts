import { SingleBar } from 'cli-progress';
import type { Point } from '../report/report.ts';

/** Shows how far a test is. */
export interface Progress {
  /** Another part begins; `goal` is what is counted in it, 0 for nothing. */
  phase(name: string, goal: number): void;
  /** A second has passed. */
  tick(point: Point): void;
  end(): void;
}

const PLAIN_EVERY_S = 5;
const whole = (value: number): string => Math.round(value).toLocaleString('en-US');
const milliseconds = (value: number | undefined): string => (value === undefined ? '-' : value.toFixed(1));

function figures({ open, handshakes, deliveries, p99 }: Point): string {
  return `${whole(open)} open, ${whole(handshakes)} handshakes/s, ${whole(deliveries)} deliveries/s, p99 ${milliseconds(p99)} ms`;
}

/** Shows it on a stream: a bar where that is a terminal, else a line now and then. */
export function createProgress(stream: NodeJS.WriteStream): Progress {
  return stream.isTTY ? createBar(stream) : createLines(stream);
}

function createLines(stream: Pick<NodeJS.WritableStream, 'write'>): Progress {
  let seconds = 0;
  return {
    phase(name, goal) {
      seconds = 0;
      stream.write(`${name}${goal > 0 ? `: ${whole(goal)}` : ''}\n`);
    },
    tick(point) {
      seconds += 1;
      if (seconds % PLAIN_EVERY_S === 0) stream.write(`  ${point.atS} s: ${figures(point)}\n`);
    },
    end() {},
  };
}

function createBar(stream: NodeJS.WriteStream): Progress {
  const bar = new SingleBar({
    stream,
    format: '{phase} {bar} {figures}',
    barCompleteChar: '█',
    barIncompleteChar: '░',
    barsize: 24,
    hideCursor: true,
    clearOnComplete: true,
    // Ctrl-C is the test's own business.
    gracefulExit: false,
  });
  let isClients = false;
  let phaseStartS: number | undefined;
  let atS = 0;
  return {
    phase(name, goal) {
      if (!bar.isActive) bar.start(1, 0, { phase: '', figures: '' });
      isClients = name === 'clients connect';
      phaseStartS = atS;
      bar.setTotal(Math.max(1, goal));
      bar.update(0, { phase: name });
    },
    tick(point) {
      atS = point.atS;
      bar.update(isClients ? point.open : Math.min(bar.getTotal(), atS - (phaseStartS ?? atS)), {
        figures: figures(point),
      });
    },
    end() {
      bar.stop();
    },
  };
}
