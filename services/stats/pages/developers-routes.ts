import type { Express, Request, RequestHandler, Response } from 'express';
import type { Clock } from '../../shared/clock.ts';
import { AppError } from '../../shared/errors.ts';
import { allowMethods } from '../../shared/express/allow-methods.ts';
import { createPageHeaders } from '../../shared/express/page-headers.ts';
import { requireSameOrigin } from '../../shared/http/same-origin.ts';
import { createServiceUrl } from '../../shared/http/service-url.ts';
import { isTopic } from '../../shared/update/topic.ts';
import type { ServiceAddresses } from '../process-stats.ts';
import type { StatsStore } from '../store/stats-store.ts';
import { listTopics, parseTopicQuery, type TopicPage, type TopicQuery } from '../view/topics.ts';
import { renderDevelopersPage } from './developers-page.ts';
import { callWebhook } from './publish-call.ts';

/** Relays report once a second what is wanted. */
const MAX_WAIT_MS = 2500;
const POLL_MS = 250;

const DEFAULT_RELAY_PORT = 8080;
const DEFAULT_WEBHOOK_PORT = 8090;

/** Adds the page for developers, and the path to which its form publishes. */
export function addDevelopersRoutes(
  app: Express,
  deps: {
    store: Pick<StatsStore, 'wantTopics' | 'processes'>;
    /** The addresses of services of this process, once they listen. */
    addresses: () => ServiceAddresses;
    /** Address of the relays for browsers, if it is configured. */
    relayUrl: string | undefined;
    clock: Clock;
    requireAccess: RequestHandler;
    wantsPage: (request: Request) => boolean;
    readForm: (request: Request) => Promise<URLSearchParams>;
    storeUnavailable: (cause: unknown) => never;
  },
): void {
  const { store, addresses, relayUrl, clock, requireAccess, wantsPage, readForm, storeUnavailable } = deps;

  /** Wants the topics, and waits until a relay has reported them. */
  async function readTopics(query: TopicQuery): Promise<TopicPage> {
    const untilMs = clock.monotonicMs() + MAX_WAIT_MS;
    for (;;) {
      await store.wantTopics(query.search);
      const page = listTopics(await store.processes(), query);
      if (page.relays > 0 || clock.monotonicMs() > untilMs) return page;
      await new Promise<void>((resolve) => void clock.after(POLL_MS, resolve));
    }
  }

  const show: RequestHandler = async (request, response) => {
    const list = await readTopics(parseTopicQuery(request.query)).catch(storeUnavailable);
    if (!wantsPage(request)) return void response.json(list);
    const { relay, webhook } = addresses();
    const relayAt = createServiceUrl({ url: relayUrl, port: DEFAULT_RELAY_PORT, ...relay });
    const webhookAt = createServiceUrl({ url: undefined, port: webhook?.port ?? DEFAULT_WEBHOOK_PORT });
    const { topic } = request.query;
    const values = {
      relay: relayAt(request),
      webhook: webhookAt(request),
      topic: typeof topic === 'string' && isTopic(topic) ? topic : 'chat',
    };
    const url = new URL(request.originalUrl, 'http://localhost');
    const refreshes = request.query.refresh === '1';
    const page = { list, values, canPublish: webhook !== undefined, url, refreshes };
    response.type('html').send(renderDevelopersPage(page));
  };

  const publish = async (request: Request, response: Response): Promise<void> => {
    requireSameOrigin(request.headers);
    const { webhook } = addresses();
    if (!webhook) throw new AppError('not_found', 'This process has no webhook');
    const form = await readForm(request);
    const field = (name: string) => form.get(name) ?? '';
    const call = { topic: field('topic'), data: field('data'), credential: field('credential') };
    const { status, body } = await callWebhook(webhook.callUrl, call);
    response.status(status).json(body);
  };

  // The live stream connects to whichever relay the developer names. Scripts are those of this page only.
  const pageHeaders = createPageHeaders({ 'connect-src': ["'self'", 'http:', 'https:', 'ws:', 'wss:'] });
  app.all('/stats/developers', allowMethods('GET', 'HEAD'), requireAccess, pageHeaders, show);
  app.all('/stats/developers/publish', allowMethods('POST'), requireAccess, publish);
}
