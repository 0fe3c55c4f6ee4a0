import { once } from 'node:events';
import { Agent, get, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, createServer } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { createHttpServer, type HttpServer } from '../../../../services/shared/process/http-server.ts';
import { eventually } from '../../../support/eventually.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function start(
  handler: RequestListener,
  options: { stopGraceMs?: number } = {},
): Promise<{ server: HttpServer; port: number }> {
  const server = createHttpServer({ handler, host: '127.0.0.1', port: 0, ...options });
  cleanups.push(() => server.stop());
  return { server, port: await server.start() };
}

function ask(port: number, agent: Agent): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    get({ host: '127.0.0.1', port, agent }, (response) => resolve(response.resume())).once('error', reject);
  });
}

function keepAliveAgent(): Agent {
  const agent = new Agent({ keepAlive: true });
  cleanups.push(() => agent.destroy());
  return agent;
}

describe('createHttpServer', () => {
  it('rejects with a clear sentence where the port is in use', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    cleanups.push(() => other.close());
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    const server = createHttpServer({ handler: () => {}, host: '127.0.0.1', port });
    await expect(server.start()).rejects.toThrow(
      `port ${port} of 127.0.0.1 is in use by another process: stop that one or choose another port`,
    );
    await server.stop();
  });

  it('rejects with a clear sentence where the address is not of this machine', async () => {
    const server = createHttpServer({ handler: () => {}, host: '192.0.2.1', port: 0 });
    await expect(server.start()).rejects.toThrow('port 0 of 192.0.2.1 cannot be used: this machine does not have');
  });

  it('can be stopped before it was started, and twice', async () => {
    const server = createHttpServer({ handler: () => {}, host: '127.0.0.1', port: 0 });
    await server.stop();
    await server.stop();
  });

  it('stops at once where connections are kept alive but idle', async () => {
    const { server, port } = await start((_, response) => response.end('hi'), { stopGraceMs: 60_000 });
    await ask(port, keepAliveAgent());
    await server.stop();
    await expect(fetch(`http://127.0.0.1:${port}`)).rejects.toThrow();
  });

  it('lets a request that is under way finish, tells its sender to close, and then stops', async () => {
    const waiting: ServerResponse[] = [];
    const { server, port } = await start((_, response) => void waiting.push(response), { stopGraceMs: 60_000 });
    const answer = ask(port, keepAliveAgent());
    await eventually(() => expect(waiting).toHaveLength(1));
    const stopped = server.stop();
    waiting[0]?.end('done');
    const response = await answer;
    expect([response.statusCode, response.headers.connection]).toEqual([200, 'close']);
    await stopped;
  });

  it('cuts off what is still under way after the grace', async () => {
    let asked = false;
    const { server, port } = await start(
      () => {
        asked = true;
      },
      { stopGraceMs: 20 },
    );
    const answer = ask(port, keepAliveAgent()).catch((error: NodeJS.ErrnoException) => error.code);
    await eventually(() => expect(asked).toBe(true));
    await server.stop();
    expect(await answer).toBe('ECONNRESET');
  });

  it('cuts off after the grace also who connected and said nothing', async () => {
    const { server, port } = await start(() => {}, { stopGraceMs: 20 });
    const silent = connect(port, '127.0.0.1');
    await once(silent, 'connect');
    const closed = once(silent, 'close');
    await server.stop();
    await closed;
  });
});
