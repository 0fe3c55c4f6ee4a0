import { type ChildProcess, fork } from 'node:child_process';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { CheckResult, Figures, LastUpdates } from '../measure/figures.ts';
import { untilSignal } from '../timing/until-signal.ts';
import type { ClientPlan } from './client-plan.ts';
import type { UpdateSchedule } from './update-schedule.ts';

/** Messages to a client process. */
export type ToClients =
  | { readonly type: 'start'; readonly plan: ClientPlan }
  | { readonly type: 'end-ramp' }
  | { readonly type: 'publishing'; readonly schedule: UpdateSchedule }
  | { readonly type: 'check'; readonly last: LastUpdates; readonly atMs: number };

/** Messages from a client process. */
export type FromClients =
  | { readonly type: 'ready'; readonly residentBytes: number }
  | { readonly type: 'figures'; readonly figures: Figures; readonly isRampDone: boolean }
  | { readonly type: 'checked'; readonly result: CheckResult };

interface Member {
  readonly child: ChildProcess;
  readonly plan: ClientPlan;
  figures: Figures | undefined;
  isRampDone: boolean;
  checked: ((result: CheckResult | undefined) => void) | undefined;
  hasExited: boolean;
  initialBytes: number;
}

const STARTED_AT_ONCE = 4;
const START_TIMEOUT_MS = 60_000;
/** A young generation of 48 MiB in each of many processes would take more memory than their clients. */
const LEAN = ['--max-semi-space-size=2'];

/** The processes that hold the clients. */
export class ClientProcesses {
  readonly #members: Member[] = [];
  readonly #report: (figures: Figures) => void;
  #stopping = false;
  /** Clients of processes that exited unexpectedly. */
  exitedClients = 0;

  /** `report` receives the figures of each process about once a second. */
  constructor(deps: { report: (figures: Figures) => void }) {
    this.#report = deps.report;
  }

  /** Starts one process per plan. */
  async start(plans: readonly ClientPlan[], signal: AbortSignal): Promise<void> {
    for (let i = 0; i < plans.length && !signal.aborted; i += STARTED_AT_ONCE) {
      await Promise.all(plans.slice(i, i + STARTED_AT_ONCE).map((plan) => this.#fork(plan)));
    }
  }

  /** Starts the ramp in all processes. */
  startRamp(): void {
    for (const member of this.#members) this.#send(member, { type: 'start', plan: member.plan });
  }

  /** The memory of all processes before their clients connected. */
  get initialBytes(): number {
    return this.#members.reduce((sum, { initialBytes }) => sum + initialBytes, 0);
  }

  get isRampDone(): boolean {
    return this.#members.every(({ isRampDone, hasExited }) => isRampDone || hasExited);
  }

  /** The latest figures of each running process. */
  get figures(): readonly Figures[] {
    return this.#members.flatMap(({ figures, hasExited }) => (figures && !hasExited ? figures : []));
  }

  endRamp(): void {
    for (const member of this.#members) this.#send(member, { type: 'end-ramp' });
  }

  /** Announces the schedule of the updates; churn starts. */
  publishing(schedule: UpdateSchedule): void {
    for (const member of this.#members) this.#send(member, { type: 'publishing', schedule });
  }

  /** Asks each process which of its clients had the last updates at `atMs`; undefined if the signal comes first. */
  async check(last: LastUpdates, atMs: number, signal: AbortSignal): Promise<readonly CheckResult[] | undefined> {
    const requests = this.#members.map(
      (member) =>
        new Promise<CheckResult | undefined>((resolve) => {
          if (member.hasExited) return resolve(undefined);
          member.checked = resolve;
          this.#send(member, { type: 'check', last, atMs });
        }),
    );
    const results = await untilSignal(Promise.all(requests), signal);
    return results?.filter((result) => result !== undefined);
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all(
      this.#members.map(
        (member) =>
          new Promise<void>((resolve) => {
            if (member.hasExited) return resolve();
            member.child.once('exit', () => resolve());
            member.child.kill('SIGKILL');
          }),
      ),
    );
  }

  #send({ child, hasExited }: Member, message: ToClients): void {
    if (!hasExited && child.connected) child.send(message, () => {});
  }

  async #fork(plan: ClientPlan): Promise<void> {
    const file = fileURLToPath(new URL(`../client-process${extname(import.meta.url)}`, import.meta.url));
    const execArgv = [...process.execArgv, ...LEAN];
    const child = fork(file, [], { execArgv, stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    const member: Member = {
      child,
      plan,
      figures: undefined,
      isRampDone: false,
      checked: undefined,
      hasExited: false,
      initialBytes: 0,
    };
    this.#members.push(member);
    child.on('exit', () => this.#exited(member));
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error('a client process did not start in time')), START_TIMEOUT_MS);
      child.once('error', reject);
      child.once('exit', () => reject(new Error('a client process could not start')));
      child.on('message', (message: FromClients) => {
        if (message.type === 'ready') {
          clearTimeout(timer);
          member.initialBytes = message.residentBytes;
          resolve();
        } else this.#receive(member, message);
      });
    });
  }

  #receive(member: Member, message: FromClients): void {
    if (message.type === 'figures') {
      member.figures = message.figures;
      member.isRampDone = message.isRampDone;
      this.#report(message.figures);
    } else if (message.type === 'checked') {
      member.checked?.(message.result);
      member.checked = undefined;
    }
  }

  #exited(member: Member): void {
    member.hasExited = true;
    member.checked?.(undefined);
    if (!this.#stopping) this.exitedClients += member.plan.count;
  }
}
