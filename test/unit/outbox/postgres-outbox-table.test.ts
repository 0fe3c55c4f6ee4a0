import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { PostgresOutboxTable } from '../../../services/outbox/postgres-outbox-table.ts';
import { eventually } from '../../support/eventually.ts';

/** A message of PostgreSQL's protocol. */
function message(type: string, payload: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeInt32BE(payload.length + 4);
  return Buffer.concat([Buffer.from(type), length, payload]);
}

const READY = message('Z', Buffer.from('I'));
const WELCOME = Buffer.concat([message('R', Buffer.alloc(4)), READY]);
const REFUSAL = Buffer.concat([message('E', Buffer.from('SERROR\0C25006\0Mon a standby\0\0')), READY]);

it('a table ends a connection on which it cannot listen, as on a standby', async () => {
  const open = new Set<Socket>();
  const server = createServer((socket) => {
    open.add(socket);
    socket.on('close', () => open.delete(socket)).on('error', () => {});
    socket.once('data', () => {
      socket.write(WELCOME);
      socket.on('data', (bytes) => bytes.toString('latin1', 0, 1) === 'Q' && socket.write(REFUSAL));
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const table = new PostgresOutboxTable({ url: `postgres://a:b@127.0.0.1:${port}/c`, batchRows: 1, woken() {} });
  onTestFinished(async () => {
    for (const socket of open) socket.destroy();
    await table.close();
    server.close();
  });
  for (let i = 0; i < 3; i += 1) await expect(table.oldestAgeS()).rejects.toThrow('on a standby');
  await eventually(() => expect(open.size).toBe(0));
});
