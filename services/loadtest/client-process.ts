import { performance } from 'node:perf_hooks';
import { Population } from './clients/client-pool.ts';
import { Pace } from './clients/client-scheduler.ts';
import type { FromClients, ToClients } from './clients/process-messages.ts';

const REPORT_MS = 1000;

function tell(message: FromClients): void {
  // Fails where the other side has gone, and so does this process then.
  if (process.connected) process.send?.(message, () => {});
}

/** Runs the clients of this process as its parent says. */
function runClients(): void {
  let running: { population: Population; pace: Pace } | undefined;
  let busy = performance.eventLoopUtilization();

  function report(): void {
    if (!running) return;
    const now = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(now, busy);
    busy = now;
    const { user, system } = process.cpuUsage();
    const own = { utilization, residentBytes: process.memoryUsage.rss(), cpuS: (user + system) / 1e6 };
    tell({ type: 'figures', figures: { ...running.population.figures(), ...own }, isRamped: running.pace.isRamped });
  }

  process.on('message', (message: ToClients) => {
    if (message.type === 'start') {
      const population = new Population(message.plan);
      running = { population, pace: new Pace({ plan: message.plan, population }) };
      running.pace.start();
      setInterval(report, REPORT_MS);
    } else if (message.type === 'end-ramp') running?.pace.endRamp();
    else if (message.type === 'publishing' && running) {
      running.population.schedule = message.schedule;
      running.pace.startChurn();
    } else if (message.type === 'judge' && running) {
      report();
      tell({ type: 'judged', judgement: running.population.judge(message.last, message.atMs) });
    }
  });
  process.on('disconnect', () => process.exit(0));
  // Ctrl-C reaches the whole group of processes: the first of them decides.
  process.on('SIGINT', () => {});
  tell({ type: 'ready', residentBytes: process.memoryUsage.rss() });
}

runClients();
