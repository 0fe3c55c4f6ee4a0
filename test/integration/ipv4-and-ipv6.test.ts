import { execFile, execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { defaultHost } from '../../services/shared/config/default-host.ts';
import { ENGINES } from '../support/engines.ts';
import { startService } from '../support/service-process.ts';

const MAIN = fileURLToPath(new URL('../../dist/standalone/main.js', import.meta.url));
/** Commands that make a network without IPv6 of the new one that they run in. */
const WITHOUT_IPV6 = 'echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6 && ip link set lo up';

function canRunWithoutIpv6(): boolean {
  try {
    execFileSync('unshare', ['--net', 'sh', '-c', WITHOUT_IPV6], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** A request to each port, as a path behind its address. */
const pathsOf = ({ relay, webhook, chat, admin }: Record<string, number>) => [
  `${relay}/topics/a`,
  `${webhook}/webhook`,
  `${chat}/`,
  `${admin}/livez`,
];
const STATUSES = [200, 405, 200, 200];

describe.each(ENGINES)('services on the engine %s, without a setting for their hosts', (engine) => {
  it.skipIf(defaultHost() !== '::')('are reached by IPv6 and by IPv4', async () => {
    await using service = await startService('standalone', { RELAY_ENGINE: engine });
    const paths = pathsOf({ ...service.ports, admin: service.adminPort });
    for (const host of ['[::1]', '127.0.0.1']) {
      const responses = await Promise.all(paths.map((path) => fetch(`http://${host}:${path}`)));
      expect(
        responses.map(({ status }) => status),
        host,
      ).toEqual(STATUSES);
      await Promise.all(responses.map((response) => response.body?.cancel()));
    }
  });

  it.skipIf(!canRunWithoutIpv6())('are reached by IPv4 on a machine without IPv6', async () => {
    const ports = { relay: 8080, webhook: 8090, chat: 8000, admin: 9101 }; // a network of their own: nothing else is there
    const probe = `
      const get = async (path) => {
        for (;;) {
          try { return (await fetch('http://127.0.0.1:' + path)).status; }
          catch { await new Promise((resolve) => setTimeout(resolve, 50)); }
        }
      };
      Promise.all(${JSON.stringify(pathsOf(ports))}.map(get)).then((all) => console.log(JSON.stringify(all)));`;
    // Sockets of IPv6 that listen would fail where the kernel has none.
    const countIpv6 = 'grep -c " 0A " /proc/self/net/tcp6';
    const script = `${WITHOUT_IPV6} && { "$0" "$1" >&2 & } && "$0" -e "$2"; ${countIpv6}; kill $!`;
    const { stdout } = await promisify(execFile)(
      'unshare',
      ['--net', '--pid', '--fork', '--kill-child', 'sh', '-c', script, process.execPath, MAIN, probe],
      { env: { PATH: process.env.PATH, RELAY_ENGINE: engine, CHAT_DB: ':memory:' } },
    );
    const [statuses = '', ipv6Sockets] = stdout.trim().split('\n');
    expect(JSON.parse(statuses)).toEqual(STATUSES);
    expect(ipv6Sockets).toBe('0');
  });
});
