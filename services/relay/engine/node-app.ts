import type { App, HttpHandler, HttpRequest, HttpResponse, WebSocketBehavior } from './engine.ts';
import { NodeTopics } from './node-topics.ts';

/** The handlers of one path, by method; `any` for all other methods. */
type Handlers = Map<string, HttpHandler>;

/** The paths of the engine on `node:http`. */
export class NodeApp implements App {
  readonly topics = new NodeTopics();
  readonly #exact = new Map<string, Handlers>();
  /** By the beginning of the path. */
  readonly #prefixes = new Map<string, Handlers>();
  readonly #behaviors = new Map<string, WebSocketBehavior<unknown>>();

  get(path: string, handler: HttpHandler): void {
    this.#add(path, 'get', handler);
  }

  head(path: string, handler: HttpHandler): void {
    this.#add(path, 'head', handler);
  }

  options(path: string, handler: HttpHandler): void {
    this.#add(path, 'options', handler);
  }

  any(path: string, handler: HttpHandler): void {
    this.#add(path, 'any', handler);
  }

  ws<T>(path: string, behavior: WebSocketBehavior<T>): void {
    this.#behaviors.set(path, behavior as WebSocketBehavior<unknown>);
  }

  numSubscribers(topic: string): number {
    return this.topics.count(topic);
  }

  publish(topic: string, text: string): void {
    this.topics.publish(topic, text);
  }

  /** Returns the behavior for a WebSocket handshake, which its key identifies; undefined for any other request. */
  behaviorFor(req: HttpRequest): WebSocketBehavior<unknown> | undefined {
    const isHandshake = req.getMethod() === 'get' && req.getHeader('sec-websocket-key') !== '';
    return isHandshake ? this.#behaviors.get(req.getUrl()) : undefined;
  }

  /** Handles a request that is no handshake. */
  handle(res: HttpResponse, req: HttpRequest): void {
    const [path, method] = [req.getUrl(), req.getMethod()];
    const matching = [...this.#prefixes].filter(([prefix]) => path.startsWith(prefix));
    matching.sort(([a], [b]) => b.length - a.length);
    for (const handlers of [this.#exact.get(path), ...matching.map(([, found]) => found)]) {
      const handler = handlers?.get(method) ?? handlers?.get('any');
      if (handler) return void handler(res, req);
    }
  }

  #add(path: string, method: string, handler: HttpHandler): void {
    const isPrefix = path.endsWith('*');
    const paths = isPrefix ? this.#prefixes : this.#exact;
    const key = isPrefix ? path.slice(0, -1) : path;
    const handlers = paths.get(key) ?? new Map();
    paths.set(key, handlers.set(method, handler));
  }
}
