import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { build, type Plugin } from 'esbuild';
import { type PublishedUpdate, Publisher, versionHeaders } from '../../services/client/publisher.ts';
import type { RelayFixture } from './relay-fixture.ts';
import { WEBHOOK_TOKEN } from './tokens.ts';
import { startWebhook } from './webhook-fixture.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** The entries of the package, as they are shipped. */
const ENTRIES = Object.fromEntries(
  Object.entries<string | { default: string }>(
    JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')).exports,
  ).flatMap(([name, entry]) =>
    typeof entry === 'string' ? [] : [[name.replace('.', 'heliograph'), join(ROOT, entry.default)]],
  ),
);

/** Bundles the script of a page, with the library as it is shipped. `RELAY` is the relay's address. */
export async function bundlePage(contents: string, relay: string, plugins: Plugin[] = []): Promise<string> {
  const { outputFiles } = await build({
    stdin: { loader: 'jsx', resolveDir: ROOT, contents },
    bundle: true,
    jsx: 'automatic',
    alias: ENTRIES,
    plugins,
    // As bundlers for browsers do.
    conditions: ['browser'],
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
  /** The number of times that a page was rendered. */
  readonly renders: number;
  /** Another user's write. */
  write(comment: string): Promise<void>;
  /** Runs before each write of a page is published. */
  beforePublish: () => Promise<void>;
  /** Runs before each response to a write of a page. */
  beforeRespond: () => Promise<void>;
  /** Serves the comments of now for this many reads to come, as a replica or a cache does that is behind. */
  stayBehind(reads: number): Promise<void>;
}

/**
 * Starts the app on an origin of its own, with a webhook on the broker of the relay. Writes of scripts get the comment; those of forms
 * are redirected to the page, or get a Turbo Stream by `?stream`.
 */
export async function startCommentsApp(options: {
  relay: RelayFixture;
  script: string;
  /** Of the bundler, for the script. */
  plugins?: Plugin[];
  /** By default a free one. */
  port?: number;
  head?: string;
  /** What its page shows; a function renders it for each request, with the versions that it read before. */
  body?: string | ((comments: readonly string[], versions: string) => string);
}): Promise<CommentsApp> {
  const { relay, head = '', body = '<main></main>' } = options;
  const webhook = await startWebhook({ broker: relay.broker });
  const publisher = new Publisher({ url: `${webhook.url}/webhook`, token: WEBHOOK_TOKEN });
  const script = await bundlePage(options.script, relay.http, options.plugins);
  const comments: string[] = [];
  let old: { readonly body: string; readonly versions: readonly PublishedUpdate[] } = { body: '', versions: [] };
  let oldReads = 0;
  let reads = 0;
  let renders = 0;
  const page = (versions: string) =>
    `<!doctype html><html lang="en"><head><title></title>${head}<script type="module" src="/page.js"></script></head>
    <body>${typeof body === 'string' ? body : body(comments, versions)}</body></html>`;

  async function respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.url?.startsWith('/?') || request.url === '/') {
      renders += 1;
      const versions = versionHeaders(await publisher.versions('chat'))['Heliograph-Version'];
      return void response.setHeader('content-type', 'text/html').end(page(versions));
    }
    if (request.url === '/page.js') return void response.setHeader('content-type', 'text/javascript').end(script);
    if (!request.url?.startsWith('/comments')) return void response.writeHead(204).end();
    if (request.method === 'POST') {
      const body = await text(request);
      const isForm = request.headers['content-type']?.startsWith('application/x-www-form-urlencoded');
      const comment = isForm ? (new URLSearchParams(body).get('comment') ?? '') : body;
      comments.push(comment);
      await app.beforePublish();
      const versions = versionHeaders(await publisher.publish('chat'));
      await app.beforeRespond();
      if (!isForm) return void response.writeHead(200, versions).end(comment);
      if (!request.url.endsWith('?stream')) return void response.writeHead(303, { location: '/' }).end();
      response.writeHead(200, { ...versions, 'content-type': 'text/vnd.turbo-stream.html' });
      const stream = `<turbo-stream action="append" targets="main"><template> ${comment}</template></turbo-stream>`;
      return void response.end(stream);
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
    get renders() {
      return renders;
    },
    beforePublish: async () => {},
    beforeRespond: async () => {},
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
