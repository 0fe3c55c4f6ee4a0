import { execFileSync } from 'node:child_process';
import { freePort } from './free-port.ts';

/** The first of the addresses that RFC 2544 reserves for tests of networks, as a number. */
const FIRST_ADDRESS = (198 << 24) | (18 << 16);
/** Matches 30 % of the packets. */
export const LOSS: readonly string[] = ['-m', 'statistic', '--mode', 'random', '--probability', '0.3'];
const NAME = /^heliograph-(\d+)-\d+$/;

/**
 * Returns why this machine cannot have network namespaces with filters, as a part of a test's name; empty if it can. They need
 * root, `ip` and `iptables`.
 */
export function whyNoNamespaces(): string {
  if (process.platform !== 'linux' || process.getuid?.() !== 0)
    return ' (skipped: network namespaces need root on Linux)';
  const name = `heliograph-${process.pid}-0`;
  try {
    run('ip', 'netns', 'add', name);
    try {
      run(...inside(name), 'iptables', '-A', 'INPUT', ...LOSS, '-j', 'DROP');
    } finally {
      run('ip', 'netns', 'delete', name);
    }
    return '';
  } catch (error) {
    return ` (skipped: ${(error as Error).message.split('\n')[0]})`;
  }
}

/** A network namespace: a host of its own, linked to this one by a cable that can be broken. Disposing removes it. */
export class NetworkNamespace implements Disposable {
  /** The command that runs another one inside. */
  readonly command: readonly string[];
  /** The address of this host on the cable. */
  readonly gateway: string;
  /** The address of the other end. */
  readonly address: string;
  readonly #name: string;
  readonly #cable: readonly [outer: string, inner: string];

  private constructor(id: number) {
    this.#name = `heliograph-${process.pid}-${id}`;
    this.command = inside(this.#name);
    this.#cable = [`hg${id}a`, `hg${id}b`];
    const base = FIRST_ADDRESS + 4 * id;
    const [gateway, address] = [1, 2].map((n) => [24, 16, 8, 0].map((bits) => ((base + n) >>> bits) & 255).join('.'));
    this.gateway = gateway as string;
    this.address = address as string;
  }

  static async create(): Promise<NetworkNamespace> {
    removeAbandoned();
    // A port that no other test has: the number makes names and addresses unique on this machine.
    const space = new NetworkNamespace(await freePort());
    const [outer, inner] = space.#cable;
    run('ip', 'netns', 'add', space.#name);
    try {
      run('ip', 'link', 'add', outer, 'type', 'veth', 'peer', 'name', inner, 'netns', space.#name);
      run('ip', 'address', 'add', `${space.gateway}/30`, 'dev', outer);
      run('ip', 'link', 'set', outer, 'up');
      space.#inside('ip', 'address', 'add', `${space.address}/30`, 'dev', inner);
      for (const link of ['lo', inner]) space.#inside('ip', 'link', 'set', link, 'up');
    } catch (error) {
      space[Symbol.dispose]();
      throw error;
    }
    return space;
  }

  /** Drops packets that match, in the chain `INPUT` (what arrives inside) or `OUTPUT` (what leaves). */
  drop(chain: 'INPUT' | 'OUTPUT', ...match: readonly string[]): void {
    this.#inside('iptables', '-w', '-A', chain, ...match, '-j', 'DROP');
  }

  /** Sets the largest packet of the cable, in both directions. */
  setMtu(bytes: number): void {
    const [outer, inner] = this.#cable;
    run('ip', 'link', 'set', outer, 'mtu', String(bytes));
    this.#inside('ip', 'link', 'set', inner, 'mtu', String(bytes));
  }

  /** Ends all faults. */
  repair(): void {
    this.#inside('iptables', '-w', '-F');
    this.setMtu(1500);
  }

  [Symbol.dispose](): void {
    run('ip', 'netns', 'delete', this.#name);
  }

  #inside(...command: readonly string[]): void {
    run(...this.command, ...command);
  }
}

/** Without `ip netns exec`, which mounts, and therefore fails within a `chroot`. */
function inside(name: string): readonly string[] {
  return ['nsenter', `--net=/run/netns/${name}`];
}

/** Removes namespaces of processes that ended without doing so. */
function removeAbandoned(): void {
  for (const line of run('ip', 'netns', 'list').split('\n')) {
    const [name = ''] = line.split(' ');
    const pid = NAME.exec(name)?.[1];
    if (pid === undefined || isAlive(Number(pid))) continue;
    try {
      run('ip', 'netns', 'delete', name);
    } catch {} // another process was faster
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

function run(...command: readonly string[]): string {
  const [program = '', ...args] = command;
  return execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}
