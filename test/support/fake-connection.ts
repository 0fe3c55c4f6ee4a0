import type {
  ConnectionOptions,
  OpenConnection,
  TopicVersions,
  TransportConnection,
} from '../../services/client/transport.ts';
import type { ServerMessage } from '../../services/shared/protocol/server-message.ts';

/** A connection whose messages and end the test controls. */
export class FakeConnection implements TransportConnection {
  /** The name of its transport, if the test has several. */
  readonly name: string;
  readonly options: ConnectionOptions;
  /** The calls of its methods, such as `subscribe chat`, `auth t2` or `ping`. */
  readonly requests: string[] = [];
  isClosed = false;
  readonly #answers: boolean;

  constructor(options: ConnectionOptions, name = '', answers = false) {
    this.options = options;
    this.name = name;
    this.#answers = answers;
  }

  /** Delivers a message of the relay. */
  delivers(message: ServerMessage): void {
    this.options.message(message);
  }

  /** Closes as if by the relay or the network. */
  closes(code = 1006, reason = ''): void {
    this.options.closed(code, reason);
  }

  subscribe(topics: TopicVersions): void {
    this.requests.push(`subscribe ${[...topics.keys()]}`);
  }

  unsubscribe(topics: readonly string[]): void {
    this.requests.push(`unsubscribe ${topics}`);
  }

  ping(): void {
    this.requests.push('ping');
    if (this.#answers) queueMicrotask(() => this.isClosed || this.delivers({ type: 'pong' }));
  }

  auth(token: string): void {
    this.requests.push(`auth ${token}`);
  }

  close(): void {
    this.isClosed = true;
  }
}

/** All opened connections, newest last. */
export class FakeConnections {
  readonly all: FakeConnection[] = [];
  /** Whether connections opened from now on respond to pings by themselves. */
  answer = false;

  /** Returns a function that opens one more. */
  opener(name = ''): OpenConnection<TransportConnection> {
    return (options) => {
      const connection = new FakeConnection(options, name, this.answer);
      this.all.push(connection);
      return connection;
    };
  }

  get last(): FakeConnection {
    const last = this.all.at(-1);
    if (!last) throw new Error('there is no connection yet');
    return last;
  }

  get names(): string[] {
    return this.all.map(({ name }) => name);
  }

  /** The number of open connections. */
  get open(): number {
    return this.all.filter(({ isClosed }) => !isClosed).length;
  }
}
