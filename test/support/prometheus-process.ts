import type { ChildProcess } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { endProcess, spawnBound } from './bound-process.ts';
import { eventually } from './eventually.ts';
import { findProgram } from './find-program.ts';
import { freePort } from './free-port.ts';

/** One series of a query result. */
export interface Sample {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: number;
}

/** A pending or firing alert. */
export interface ActiveAlert {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly state: 'pending' | 'firing';
}

/** A real Prometheus on loopback, with its data in a folder of its own. Disposing stops it. */
export class PrometheusProcess implements AsyncDisposable {
  readonly #url: string;
  readonly #dir: string;
  readonly #child: ChildProcess;

  private constructor(url: string, dir: string, child: ChildProcess) {
    this.#url = url;
    this.#dir = dir;
    this.#child = child;
  }

  /** Starts Prometheus with a configuration, and rules in `rules.yaml` beside it. */
  static async start(options: { config: object; rules: object }): Promise<PrometheusProcess> {
    const program = findProgram('prometheus', 'prometheus');
    const dir = await mkdtemp(join(tmpdir(), 'heliograph-prometheus-'));
    await writeFile(join(dir, 'prometheus.yml'), stringify(options.config));
    await writeFile(join(dir, 'rules.yaml'), stringify(options.rules));
    const port = await freePort();
    const child = spawnBound(program, [
      `--config.file=${join(dir, 'prometheus.yml')}`,
      `--storage.tsdb.path=${join(dir, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
    ]);
    let log = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (text) => {
        log = (log + text).slice(-10_000);
      });
    }
    const prometheus = new PrometheusProcess(`http://127.0.0.1:${port}`, dir, child);
    await eventually(async () => {
      if (child.exitCode !== null) throw new Error(`prometheus exited with ${child.exitCode}: ${log}`);
      const { status } = await fetch(`http://127.0.0.1:${port}/-/ready`);
      if (status !== 200) throw new Error(`prometheus is not ready: ${log}`);
    });
    return prometheus;
  }

  /** Evaluates an expression now. Throws if it is invalid. */
  async query(expression: string): Promise<readonly Sample[]> {
    const { result } = await this.#get(`/api/v1/query?query=${encodeURIComponent(expression)}`);
    return (result as { metric: Record<string, string>; value: [number, string] }[]).map(({ metric, value }) => ({
      metric,
      value: Number(value[1]),
    }));
  }

  /** The health of each target, by its job and instance. */
  async targets(): Promise<readonly { job: string; instance: string; health: string; lastError: string }[]> {
    const { activeTargets } = await this.#get('/api/v1/targets');
    return (activeTargets as { labels: { job: string; instance: string }; health: string; lastError: string }[]).map(
      ({ labels, health, lastError }) => ({ ...labels, health, lastError }),
    );
  }

  /** The types of all scraped metrics, with or without values. */
  async metricTypes(): Promise<Readonly<Record<string, string>>> {
    const list = (await this.#get('/api/v1/targets/metadata')) as unknown as { metric: string; type: string }[];
    return Object.fromEntries(list.map(({ metric, type }) => [metric, type]));
  }

  async alerts(): Promise<readonly ActiveAlert[]> {
    const { alerts } = await this.#get('/api/v1/alerts');
    return alerts as ActiveAlert[];
  }

  /** Kills Prometheus and removes its folder. */
  async stop(): Promise<void> {
    await endProcess(this.#child);
    await rm(this.#dir, { recursive: true, force: true });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #get(path: string): Promise<Readonly<Record<string, unknown>>> {
    const answer = await fetch(`${this.#url}${path}`);
    const { status, data, error } = (await answer.json()) as {
      status: string;
      data: Record<string, unknown>;
      error?: string;
    };
    if (status !== 'success') throw new Error(`Prometheus failed: ${error}`);
    return data;
  }
}
