import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';

/** Implements the part of Sentinel's protocol that a client needs, with replies controlled by the test. */
export class FakeSentinel implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #subscribers = new Set<Socket>();
  readonly #pendingQueries: (() => void)[] = [];
  /** The port of the server that it names as master; 0 if it knows none. */
  masterPort: number;
  /** Whether it replies to queries for the master at once; otherwise they wait for `reply`. */
  replies = true;

  private constructor(masterPort: number) {
    this.masterPort = masterPort;
    this.#server = createServer((socket) => {
      this.#sockets.add(socket);
      socket.on('error', () => {}); // `close` follows
      socket.on('close', () => {
        this.#sockets.delete(socket);
        this.#subscribers.delete(socket);
      });
      socket.on('data', (data) => {
        for (const words of readCommands(String(data))) this.#command(socket, words);
      });
    });
  }

  static async start(masterPort: number): Promise<FakeSentinel> {
    const sentinel = new FakeSentinel(masterPort);
    sentinel.#server.listen(0, '127.0.0.1');
    await once(sentinel.#server, 'listening');
    return sentinel;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** The number of queries that wait for a reply. */
  get pendingQueries(): number {
    return this.#pendingQueries.length;
  }

  /** The number of subscribers to changes of the master. */
  get subscribers(): number {
    return this.#subscribers.size;
  }

  /** Replies to all pending queries. */
  reply(): void {
    for (const reply of this.#pendingQueries.splice(0)) reply();
  }

  /** Announces a new master to the subscribers. */
  switchMaster(): void {
    const text = 'heliograph 127.0.0.1 1 127.0.0.1 2';
    for (const socket of this.#subscribers) socket.write(bulks(['message', '+switch-master', text]));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #command(socket: Socket, words: readonly string[]): void {
    const [name = '', what = ''] = words.map((word) => word.toLowerCase());
    if (name === 'hello') socket.write("-ERR unknown command 'HELLO'\r\n");
    else if (name === 'subscribe') {
      this.#subscribers.add(socket);
      socket.write('*3\r\n$9\r\nsubscribe\r\n$14\r\n+switch-master\r\n:1\r\n');
    } else if (what === 'get-master-addr-by-name') {
      const reply = this.masterPort === 0 ? '*-1\r\n' : bulks(['127.0.0.1', String(this.masterPort)]);
      this.#pendingQueries.push(() => socket.write(reply));
      if (this.replies) this.reply();
    } else if (name === 'sentinel') socket.write('*0\r\n');
    else socket.write('+OK\r\n');
  }
}

function bulks(words: readonly string[]): string {
  return `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join('')}`;
}

/** Parses the commands in a text. Such short ones are never split on loopback. */
function readCommands(text: string): string[][] {
  return text
    .split(/^\*\d+\r\n/m)
    .slice(1)
    .map((command) => command.split('\r\n').filter((_, i) => i % 2 === 1));
}
