// The image's HEALTHCHECK: exits with 0 if the process in this container is alive, or, with the argument /readyz, ready. A container runs one role, so any admin
// port that responds is the right one; ADMIN_PORT and ADMIN_HOST apply to every role.
const { ADMIN_PORT, ADMIN_HOST = '' } = process.env;
const [path = '/livez'] = process.argv.slice(2);
const ports = ADMIN_PORT ? [ADMIN_PORT] : [9101, 9102, 9103, 9104]; // relay and standalone, webhook, chat, outbox
const host = { '': '127.0.0.1', '0.0.0.0': '127.0.0.1', '::': '[::1]' }[ADMIN_HOST] ?? ADMIN_HOST;

const check = (port) =>
  fetch(`http://${host}:${port}${path}`, { signal: AbortSignal.timeout(2000) }).then((answer) => {
    if (!answer.ok) throw new Error(`port ${port} returns ${answer.status}`);
  });

try {
  await Promise.any(ports.map(check));
} catch (error) {
  process.stderr.write(`${error.errors.map(({ message, cause }) => cause?.message ?? message).join('\n')}\n`);
  process.exitCode = 1;
}
