import type {
  ConnectionOptions,
  OpenConnection,
  TopicVersions,
  TransportConnection,
} from '../../services/client/transport.ts';
import type { ServerMessage } from '../../services/shared/protocol/server-message.ts';

/** A line of which a test decides what it says. */
export class FakeConnection implements TransportConnection {
  /** What it was opened as, where a test has several ways. */
  readonly name: string;
  readonly options: ConnectionOptions;
  /** What it was asked for, such as `subscribe chat`, `auth t2` or `ping`. */
  readonly said: string[] = [];
  isClosed = false;
  readonly #answers: boolean;

  constructor(options: ConnectionOptions, name = '', answers = false) {
    this.options = options;
    this.name = name;
    this.#answers = answers;
  }

  /** Says something as the relay would. */
  says(message: ServerMessage): void {
    this.options.message(message);
  }

  /** Ends as the relay, or the network, would end it. */
  ends(code = 1006, reason = ''): void {
    this.options.closed(code, reason);
  }

  subscribe(topics: TopicVersions): void {
    this.said.push(`subscribe ${[...topics.keys()]}`);
  }

  unsubscribe(topics: readonly string[]): void {
    this.said.push(`unsubscribe ${topics}`);
  }

  ping(): void {
    this.said.push('ping');
    if (this.#answers) queueMicrotask(() => this.isClosed || this.says({ type: 'pong' }));
  }

  auth(token: string): void {
    this.said.push(`auth ${token}`);
  }

  close(): void {
    this.isClosed = true;
  }
}

/** All lines that were opened, newest last. */
export class FakeConnections {
  readonly all: FakeConnection[] = [];
  /** Whether lines that are opened from now on answer pings by themselves. */
  answer = false;

  /** What opens one more. */
  opener(name = ''): OpenConnection<TransportConnection> {
    return (options) => {
      const line = new FakeConnection(options, name, this.answer);
      this.all.push(line);
      return line;
    };
  }

  get last(): FakeConnection {
    const last = this.all.at(-1);
    if (!last) throw new Error('no line was opened yet');
    return last;
  }

  get names(): string[] {
    return this.all.map(({ name }) => name);
  }

  /** How many are open. */
  get open(): number {
    return this.all.filter(({ isClosed }) => !isClosed).length;
  }
}
