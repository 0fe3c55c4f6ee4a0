import { once } from 'node:events';
import { Agent, get, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, createServer } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { EnvReader } from '../../../../services/shared/config/env-reader.ts';
import { readAllowedHosts } from '../../../../services/shared/http/allowed-hosts.ts';
import { createHttpServer, type HttpServer } from '../../../../services/shared/http/http-server.ts';
import { listenError } from '../../../../services/shared/start-error.ts';
import { eventually } from '../../../support/eventually.ts';
import { sendRaw } from '../../../support/raw-http.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function start(
  handler: RequestListener,
  options: Partial<Parameters<typeof createHttpServer>[0]> = {},
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
  it('rejects with a clear message if the port is in use', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    cleanups.push(() => other.close());
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    const server = createHttpServer({ handler: () => {}, host: '127.0.0.1', port });
    await expect(server.start()).rejects.toThrow(
      `port ${port} of 127.0.0.1 is in use by another process: stop it or choose another port`,
    );
    await server.stop();
  });

  it('rejects with a clear message if the address is not of this machine', async () => {
    const server = createHttpServer({ handler: () => {}, host: '192.0.2.1', port: 0 });
    await expect(server.start()).rejects.toThrow('port 0 of 192.0.2.1 cannot be used: it is not an address of');
  });

  it('names the setting to change', () => {
    const because = (code: string) =>
      listenError(Object.assign(new Error('listen'), { code }), { host: '0.0.0.0', port: 80, setting: 'CHAT' }).message;
    expect(because('EADDRINUSE')).toMatch(/^CHAT_PORT: port 80 of 0.0.0.0 is in use by another process/);
    expect(because('EACCES')).toMatch(/^CHAT_PORT: port 80 of 0.0.0.0 requires privileges/);
    expect(because('EADDRNOTAVAIL')).toMatch(/^CHAT_HOST: port 80 of 0.0.0.0 cannot be used: it is not an address/);
  });

  it('refuses requests to other hosts, before their bodies', async () => {
    const isAllowedHost = readAllowedHosts(new EnvReader({ ALLOWED_HOSTS: 'push.example.org' }));
    const refused: unknown[] = [];
    const { port } = await start((_, response) => response.end('served'), {
      isAllowedHost,
      refused: (status) => refused.push(status),
    });
    const call = (host: string) => sendRaw(port, `GET / HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n\r\n`);
    for (const host of ['push.example.org:8090', '127.0.0.1', 'localhost:1'])
      expect(await call(host)).toContain('served');
    const answer = await call('rebound.example');
    expect(answer).toMatch(/^HTTP\/1.1 403 /);
    expect(answer).toContain('"code":"host_forbidden"');
    expect(refused).toEqual([403]);
  });

  it('can be stopped before it was started, and twice', async () => {
    const server = createHttpServer({ handler: () => {}, host: '127.0.0.1', port: 0 });
    await server.stop();
    await server.stop();
  });

  it('ends every connection with its response before it stops, and still accepts new ones', async () => {
    const waiting: ServerResponse[] = [];
    const { server, port } = await start((_, response) => void waiting.push(response));
    const agent = keepAliveAgent();
    for (const isPrepared of [false, true]) {
      const answer = ask(port, agent);
      await eventually(() => expect(waiting).toHaveLength(1));
      if (isPrepared) server.prepareStop();
      waiting.pop()?.end('in progress');
      expect((await answer).headers.connection).toBe(isPrepared ? 'close' : 'keep-alive');
    }
    const answer = ask(port, agent);
    await eventually(() => expect(waiting).toHaveLength(1));
    waiting.pop()?.end('new');
    expect((await answer).headers.connection).toBe('close');
  });

  it('stops at once if all connections are idle', async () => {
    const { server, port } = await start((_, response) => response.end('hi'), { stopGraceMs: 60_000 });
    await ask(port, keepAliveAgent());
    await server.stop();
    await expect(fetch(`http://127.0.0.1:${port}`)).rejects.toThrow();
  });

  it('lets a request in progress finish, asks the client to close, and then stops', async () => {
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

  it('closes connections with requests in progress after the grace period', async () => {
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

  it('closes connections without any request after the grace period', async () => {
    const { server, port } = await start(() => {}, { stopGraceMs: 20 });
    const silent = connect(port, '127.0.0.1');
    await once(silent, 'connect');
    const closed = once(silent, 'close');
    await server.stop();
    await closed;
  });

  it.each([
    ['no HTTP', 'hello\r\n\r\n', 400, 'invalid_request'],
    ['a NUL in a header', 'GET / HTTP/1.1\r\nHost: x\r\nX: a\0b\r\n\r\n', 400, 'invalid_request'],
    ['a line within a header', 'GET / HTTP/1.1\r\nHost: x\r\nX: a\rY: b\r\n\r\n', 400, 'invalid_request'],
    ['a space before a colon', 'GET / HTTP/1.1\r\nHost : x\r\n\r\n', 400, 'invalid_request'],
    [
      'two lengths that differ',
      'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nContent-Length: 9\r\n\r\n',
      400,
      'invalid_request',
    ],
    [
      'a length and pieces',
      'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      400,
      'invalid_request',
    ],
    ['headers of a megabyte', `GET / HTTP/1.1\r\nX: ${'x'.repeat(1024 * 1024)}\r\n\r\n`, 431, 'headers_too_large'],
  ])('responds to %s with its code, counts it, and closes the connection', async (_, bytes, status, code) => {
    const refused: unknown[] = [];
    const { port } = await start((_, response) => response.end('hi'), { refused: (code) => refused.push(code) });
    const [head, body] = (await sendRaw(port, bytes)).split('\r\n\r\n');
    expect(head).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect(head).toMatch(/^content-type: application\/problem\+json$/im);
    expect(JSON.parse(body ?? '')).toMatchObject({ status, code });
    expect(refused).toEqual([status]);
  });

  it.each(['Expect: what', 'Content-Length: 3\r\nExpect: what', 'Host: y'])(
    'goes on after what Node refuses by itself, with nonsense behind it: %s',
    async (header) => {
      const { port } = await start((request, response) => void request.resume().once('end', () => response.end('hi')));
      for (const rest of ['hello\r\n\r\n', 'GET / HTTP/9.9\r\n\r\n', '\0']) {
        for (const head of [`GET / HTTP/1.1\r\n${header}`, `POST / HTTP/1.1\r\nHost: x\r\n${header}`]) {
          const socket = connect(port, '127.0.0.1').on('error', () => {});
          socket.write(`${head}\r\n\r\n${rest}`);
          await Promise.race([once(socket, 'data'), once(socket, 'close')]);
          socket.destroy();
        }
      }
      expect((await ask(port, keepAliveAgent())).statusCode).toBe(200);
    },
  );

  it('accepts nothing after a request whose end is ambiguous', async () => {
    const asked: string[] = [];
    const { port } = await start((request, response) => response.end(asked.push(request.url ?? '')));
    const hidden = 'GET /hidden HTTP/1.1\r\nHost: x\r\n\r\n';
    const lengths = `Content-Length: ${hidden.length}\r\nTransfer-Encoding: chunked`;
    await sendRaw(port, `POST /shown HTTP/1.1\r\nHost: x\r\n${lengths}\r\n\r\n0\r\n\r\n${hidden}`);
    expect(asked).toEqual([]);
  });

  it('limits the time for headers and for a body', async () => {
    const { port } = await start((request, response) => void request.resume().once('end', () => response.end('hi')), {
      headerTimeoutMs: 500,
    });
    const socket = connect(port, '127.0.0.1');
    let received = '';
    socket.on('data', (data) => {
      received += data;
    });
    socket.write('GET / HTTP/1.1\r\nHost: x\r\nX: ');
    const trickle = setInterval(() => socket.write('x'), 100);
    cleanups.push(() => clearInterval(trickle));
    await eventually(() => expect(socket.destroyed || socket.readableEnded).toBe(true));
    expect(received).toMatch(/^HTTP\/1\.1 408 .*"code":"request_timeout"/s);
  });

  it('responds to a body that does not arrive in time, instead of its handler', async () => {
    const { port } = await start((request, response) => void request.resume().once('end', () => response.end('hi')), {
      headerTimeoutMs: 100,
      bodyTimeoutMs: 100,
    });
    const answer = await sendRaw(port, 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhi');
    expect(answer).toMatch(/^HTTP\/1\.1 408 .*"code":"request_timeout"/s);
  });

  it('does not disturb a request in progress by malformed input behind it', async () => {
    const answered: boolean[] = [];
    const { port } = await start((_, response) => {
      setImmediate(() => {
        answered.push(response.headersSent);
        response.end('hi');
      });
    });
    await sendRaw(port, 'GET / HTTP/1.1\r\nHost: x\r\n\r\nhello\r\n\r\n');
    expect(answered).toEqual([false]);
  });

  it('closes a connection that pipelines without limit, and serves the others', async () => {
    const waiting: ServerResponse[] = [];
    const { port } = await start((_, response) => void waiting.push(response));
    expect(await sendRaw(port, 'GET / HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(1000))).toBe('');
    expect(waiting).toHaveLength(8);
    const answer = ask(port, keepAliveAgent());
    await eventually(() => expect(waiting).toHaveLength(9));
    waiting[8]?.end('hi');
    expect((await answer).statusCode).toBe(200);
  });

  it('responds to a few pipelined requests in their order', async () => {
    const { port } = await start((request, response) => void response.end(`answer to ${request.url}`));
    const paths = [1, 2, 3, 4, 5, 6, 7, 8].map((n) => `/${n}`);
    const asked = paths.map(
      (path) => `GET ${path} HTTP/1.1\r\nHost: x\r\n${path === '/8' ? 'Connection: close\r\n' : ''}\r\n`,
    );
    const text = await sendRaw(port, asked.join(''));
    expect(text.match(/answer to \S+/g)).toEqual(paths.map((path) => expect.stringContaining(`answer to ${path}`)));
  });

  it('drops connections above the limit, and counts them', async () => {
    const refused: unknown[] = [];
    const { port } = await start((_, response) => response.end('hi'), {
      maxConnections: 2,
      refused: (code) => refused.push(code),
    });
    const held = [connect(port, '127.0.0.1'), connect(port, '127.0.0.1')];
    cleanups.push(() => held.map((socket) => socket.destroy()));
    await Promise.all(held.map((socket) => once(socket, 'connect')));
    expect(await sendRaw(port, 'GET / HTTP/1.1\r\nHost: x\r\n\r\n')).toBe('');
    expect(refused).toEqual(['dropped']);
    held[0]?.destroy();
    await eventually(async () => expect((await ask(port, keepAliveAgent())).statusCode).toBe(200));
  });
});
