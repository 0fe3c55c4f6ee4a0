import { performance } from 'node:perf_hooks';
import { ClientPool } from './clients/client-pool.ts';
import type { FromClients, ToClients } from './clients/client-processes.ts';
import { ClientScheduler } from './clients/client-scheduler.ts';

const REPORT_MS = 1000;

function send(message: FromClients): void {
  // Fails if the parent has exited; this process then exits on `disconnect`.
  if (process.connected) process.send?.(message, () => {});
}

/** Runs the clients of this process, controlled by messages of the parent process. */
function runClients(): void {
  let running: { clients: ClientPool; scheduler: ClientScheduler } | undefined;
  let lastUtilization = performance.eventLoopUtilization();

  function report(): void {
    if (!running) return;
    const now = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(now, lastUtilization);
    lastUtilization = now;
    const { user, system } = process.cpuUsage();
    const own = { utilization, residentBytes: process.memoryUsage.rss(), cpuS: (user + system) / 1e6 };
    const { clients, scheduler } = running;
    send({ type: 'figures', figures: { ...clients.figures(), ...own }, isRampDone: scheduler.isRampDone });
  }

  process.on('message', (message: ToClients) => {
    if (message.type === 'start') {
      const clients = new ClientPool(message.plan);
      running = { clients, scheduler: new ClientScheduler({ plan: message.plan, clients }) };
      running.scheduler.start();
      setInterval(report, REPORT_MS);
    } else if (message.type === 'end-ramp') running?.scheduler.endRamp();
    else if (message.type === 'publishing' && running) {
      running.clients.schedule = message.schedule;
      running.scheduler.startChurn();
    } else if (message.type === 'check' && running) {
      report();
      send({ type: 'checked', result: running.clients.check(message.last, message.atMs) });
    }
  });
  process.on('disconnect', () => process.exit(0));
  // Ctrl-C reaches the whole process group; the parent process handles it.
  process.on('SIGINT', () => {});
  send({ type: 'ready', residentBytes: process.memoryUsage.rss() });
}

runClients();
