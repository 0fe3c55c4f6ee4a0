import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type DriverReport, movesPerClient } from './driver.ts';

const PAGE = fileURLToPath(new URL('../../deploy/README.md', import.meta.url));
const HEAD = '| Event | Moves, library | Moves, others | Reconnects per second | Worst delay | Failed calls |';

/** The table of deploy/README.md: what happened to the clients in each event. */
export class EventTable {
  readonly #rows: string[] = [];

  add(event: string, report: DriverReport): void {
    const { library, websocket, sse } = movesPerClient(report);
    const { reconnectsPerSecond, delayMs, failedCalls, calls } = report;
    const cells = [
      event,
      library.toFixed(2),
      ((websocket + sse) / 2).toFixed(2),
      reconnectsPerSecond,
      `${(delayMs.worst / 1000).toFixed(1)} s`,
      `${failedCalls} of ${calls}`,
    ];
    this.#rows.push(`| ${cells.join(' | ')} |`);
  }

  /** Prints the table, and with `KUBE_TEST_WRITE_TABLE` writes it into the page. */
  publish(): void {
    const table = [HEAD, HEAD.replace(/[^|]+/g, ' --- '), ...this.#rows].join('\n');
    console.info(table);
    if (!process.env.KUBE_TEST_WRITE_TABLE) return;
    const page = readFileSync(PAGE, 'utf8');
    const start = page.indexOf(HEAD);
    if (start < 0) throw new Error(`deploy/README.md has no table ${HEAD}`);
    const end = page.indexOf('\n\n', start);
    writeFileSync(PAGE, `${page.slice(0, start)}${table}${page.slice(end)}`);
  }
}
