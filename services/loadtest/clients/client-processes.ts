import { type ChildProcess, fork } from 'node:child_process';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Figures, Judgement, LastUpdates } from '../measure/figures.ts';
import { untilSignal } from '../timing/until-signal.ts';
import type { ClientPlan, Schedule } from './client-plan.ts';
import type { FromClients, ToClients } from './process-messages.ts';

interface Member {
  readonly child: ChildProcess;
  readonly plan: ClientPlan;
  figures: Figures | undefined;
  isRamped: boolean;
  judged: ((judgement: Judgement | undefined) => void) | undefined;
  isGone: boolean;
  emptyBytes: number;
}

const STARTED_AT_ONCE = 4;
const START_TIMEOUT_MS = 60_000;
/** A young generation of a few MiB, and code that is small: a third less memory for each client, at no cost in CPU. */
const LEAN = ['--max-semi-space-size=1', '--optimize-for-size'];

/** The processes that hold the clients. */
export class ClientProcesses {
  readonly #members: Member[] = [];
  readonly #report: (figures: Figures) => void;
  #stopping = false;
  /** Clients of processes that ended before their time. */
  diedClients = 0;

  /** `report` gets what each process has measured, about once a second. */
  constructor(deps: { report: (figures: Figures) => void }) {
    this.#report = deps.report;
  }

  /** Starts a process for each plan. */
  async start(plans: readonly ClientPlan[], signal: AbortSignal): Promise<void> {
    for (let i = 0; i < plans.length && !signal.aborted; i += STARTED_AT_ONCE) {
      await Promise.all(plans.slice(i, i + STARTED_AT_ONCE).map((plan) => this.#fork(plan)));
    }
  }

  /** Lets the clients come. */
  begin(): void {
    for (const member of this.#members) this.#tell(member, { type: 'start', plan: member.plan });
  }

  /** Memory of all processes before their clients came. */
  get emptyBytes(): number {
    return this.#members.reduce((sum, { emptyBytes }) => sum + emptyBytes, 0);
  }

  get isRamped(): boolean {
    return this.#members.every(({ isRamped, isGone }) => isRamped || isGone);
  }

  /** The newest figures of each process. */
  get figures(): readonly Figures[] {
    return this.#members.flatMap(({ figures, isGone }) => (figures && !isGone ? figures : []));
  }

  endRamp(): void {
    for (const member of this.#members) this.#tell(member, { type: 'end-ramp' });
  }

  publishing(schedule: Schedule): void {
    for (const member of this.#members) this.#tell(member, { type: 'publishing', schedule });
  }

  /** Asks all who had the last updates at that time; undefined where the signal came before all had answered. */
  async judge(last: LastUpdates, atMs: number, signal: AbortSignal): Promise<readonly Judgement[] | undefined> {
    const asked = this.#members.map(
      (member) =>
        new Promise<Judgement | undefined>((resolve) => {
          if (member.isGone) return resolve(undefined);
          member.judged = resolve;
          this.#tell(member, { type: 'judge', last, atMs });
        }),
    );
    const answers = await untilSignal(Promise.all(asked), signal);
    return answers?.filter((answer) => answer !== undefined);
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all(
      this.#members.map(
        (member) =>
          new Promise<void>((resolve) => {
            if (member.isGone) return resolve();
            member.child.once('exit', () => resolve());
            member.child.kill('SIGKILL');
          }),
      ),
    );
  }

  #tell({ child, isGone }: Member, message: ToClients): void {
    if (!isGone && child.connected) child.send(message, () => {});
  }

  async #fork(plan: ClientPlan): Promise<void> {
    const file = fileURLToPath(new URL(`../client-process${extname(import.meta.url)}`, import.meta.url));
    const execArgv = [...process.execArgv, ...LEAN];
    const child = fork(file, [], { execArgv, stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    const member: Member = {
      child,
      plan,
      figures: undefined,
      isRamped: false,
      judged: undefined,
      isGone: false,
      emptyBytes: 0,
    };
    this.#members.push(member);
    child.on('exit', () => this.#exited(member));
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error('a process of clients did not start in time')), START_TIMEOUT_MS);
      child.once('error', reject);
      child.once('exit', () => reject(new Error('a process of clients could not start')));
      child.on('message', (message: FromClients) => {
        if (message.type === 'ready') {
          clearTimeout(timer);
          member.emptyBytes = message.residentBytes;
          resolve();
        } else this.#heard(member, message);
      });
    });
  }

  #heard(member: Member, message: FromClients): void {
    if (message.type === 'figures') {
      member.figures = message.figures;
      member.isRamped = message.isRamped;
      this.#report(message.figures);
    } else if (message.type === 'judged') {
      member.judged?.(message.judgement);
      member.judged = undefined;
    }
  }

  #exited(member: Member): void {
    member.isGone = true;
    member.judged?.(undefined);
    if (!this.#stopping) this.diedClients += member.plan.count;
  }
}
