import { SingleBar } from 'cli-progress';
import type { Point } from '../report/report.ts';

/** Shows the progress of a test. */
export interface Progress {
  /** Starts a phase; `goal` is the number of clients to connect, or the duration in seconds. */
  phase(name: string, goal?: { readonly clients: number } | { readonly seconds: number }): void;
  /** Shows the latest second. */
  tick(point: Point): void;
  end(): void;
}

const LINE_EVERY_S = 5;
const whole = (value: number): string => Math.round(value).toLocaleString('en-US');
const milliseconds = (value: number | undefined): string => (value === undefined ? '-' : value.toFixed(1));

function figures({ open, handshakes, deliveries, p99 }: Point): string {
  return `${whole(open)} open, ${whole(handshakes)} handshakes/s, ${whole(deliveries)} deliveries/s, p99 ${milliseconds(p99)} ms`;
}

/** Shows the progress as a bar if the stream is a terminal, otherwise as a line every few seconds. */
export function createProgress(stream: NodeJS.WriteStream): Progress {
  return stream.isTTY ? createBar(stream) : createLines(stream);
}

function createLines(stream: Pick<NodeJS.WritableStream, 'write'>): Progress {
  let seconds = 0;
  return {
    phase(name, goal) {
      seconds = 0;
      const target = !goal ? '' : 'clients' in goal ? `: ${whole(goal.clients)}` : `: ${whole(goal.seconds)} s`;
      stream.write(`${name}${target}\n`);
    },
    tick(point) {
      seconds += 1;
      if (seconds % LINE_EVERY_S === 0) stream.write(`  ${point.atS} s: ${figures(point)}\n`);
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
    // The test handles Ctrl-C itself.
    gracefulExit: false,
  });
  let countsClients = false;
  let phaseStartS: number | undefined;
  let atS = 0;
  return {
    phase(name, goal) {
      if (!bar.isActive) bar.start(1, 0, { phase: '', figures: '' });
      countsClients = goal !== undefined && 'clients' in goal;
      phaseStartS = atS;
      bar.setTotal(Math.max(1, Object.values(goal ?? {})[0] ?? 0));
      bar.update(0, { phase: name });
    },
    tick(point) {
      atS = point.atS;
      bar.update(countsClients ? point.open : Math.min(bar.getTotal(), atS - (phaseStartS ?? atS)), {
        figures: figures(point),
      });
    },
    end() {
      bar.stop();
    },
  };
}
