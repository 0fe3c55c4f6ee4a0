import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { type PublishedUpdate, Publisher, versionHeaders } from '../../services/client/publisher.ts';
import type { RelayFixture } from './relay-fixture.ts';
import { WEBHOOK_TOKEN } from './tokens.ts';
import { startWebhook } from './webhook-fixture.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** Bundles the script of a page, with the library as it is shipped. `RELAY` is the relay's address. */
export async function bundlePage(contents: string, relay: string): Promise<string> {
  const { outputFiles } = await build({
    stdin: { loader: 'jsx', resolveDir: ROOT, contents },
    bundle: true,
    jsx: 'automatic',
    format: 'esm',
    write: false,
    define: {
      'process.env.NODE_ENV': '"development"',
      __VUE_OPTIONS_API__: 'true',
      __VUE_PROD_DEVTOOLS__: 'false',
      __VUE_PROD_HYDRATION_MISMATCH_DETAILS__: 'false',
      RELAY: JSON.stringify(relay),
    },
  });
  return outputFiles[0]?.text ?? '';
}

/** A web app with comments in memory. Its page is one script; a write publishes the topic `chat`. */
export interface CommentsApp extends AsyncDisposable {
  readonly url: string;
  readonly comments: readonly string[];
  /** The number of times that a page has read the comments. */
  readonly reads: number;
  /** Another user's write. */
  write(comment: string): Promise<void>;
  /** Runs before each write of a page is published. */
  beforePublish: () => Promise<void>;
  /** Serves the comments of now for this many reads to come, as a replica or a cache does that is behind. */
  stayBehind(reads: number): Promise<void>;
}

/** Starts the app on an origin of its own, with a webhook on the broker of the relay. */
export async function startCommentsApp(options: {
  relay: RelayFixture;
  script: string;
  /** By default a free one. */
  port?: number;
  head?: string;
  /** What its page shows; a function renders it for each request. */
  body?: string | ((comments: readonly string[]) => string);
}): Promise<CommentsApp> {
  const { relay, head = '', body = '<main></main>' } = options;
  const webhook = await startWebhook({ broker: relay.broker });
  const publisher = new Publisher({ url: `${webhook.url}/webhook`, token: WEBHOOK_TOKEN });
  const script = await bundlePage(options.script, relay.http);
  const comments: string[] = [];
  let old: { readonly body: string; readonly versions: readonly PublishedUpdate[] } = { body: '', versions: [] };
  let oldReads = 0;
  let reads = 0;
  const page =
    () => `<!doctype html><html lang="en"><head><title></title>${head}<script type="module" src="/page.js"></script></head>
    <body>${typeof body === 'string' ? body : body(comments)}</body></html>`;

  async function respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.url === '/') return void response.setHeader('content-type', 'text/html').end(page());
    if (request.url === '/page.js') return void response.setHeader('content-type', 'text/javascript').end(script);
    if (request.url !== '/comments') return void response.writeHead(204).end();
    if (request.method === 'POST') {
      const comment = await text(request);
      comments.push(comment);
      await app.beforePublish();
      const versions = await publisher.publish('chat');
      return void response.writeHead(200, versionHeaders(versions)).end(comment);
    }
    reads += 1;
    oldReads -= 1;
    if (oldReads >= 0) return void response.writeHead(200, versionHeaders(old.versions)).end(old.body);
    const versions = await publisher.versions('chat');
    response.writeHead(200, versionHeaders(versions)).end(JSON.stringify(comments));
  }

  const server = createServer((request, response) => void respond(request, response)).listen(
    options.port ?? 0,
    '127.0.0.1',
  );
  await once(server, 'listening');
  const app: CommentsApp = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    comments,
    get reads() {
      return reads;
    },
    async write(comment) {
      comments.push(comment);
      await publisher.publish('chat');
    },
    beforePublish: async () => {},
    async stayBehind(count) {
      old = { body: JSON.stringify(comments), versions: await publisher.versions('chat') };
      oldReads = count;
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
      await webhook.stop();
    },
  };
  return app;
}
