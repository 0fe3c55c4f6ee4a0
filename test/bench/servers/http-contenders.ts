import { existsSync } from 'node:fs';
import { startNginx } from '../../support/nginx.ts';
import type { Contender, Protocol, RunningServer } from './contender.ts';
import { ofOtherBuild, RELAY, startPublisher } from './contenders.ts';
import { measuredProgram } from './measured-process.ts';

/** Where Debian's package `libnginx-mod-nchan` puts nchan. */
const NCHAN = '/usr/lib/nginx/modules/ngx_nchan_module.so';
/** More than the clients of a bench. */
const NGINX_CONNECTIONS = 16_000;

const NCHAN_SITE = `server {
  listen 127.0.0.1:PORT reuseport backlog=4096;
  keepalive_requests 1000000000;
  nchan_message_buffer_length 10;
  nchan_subscriber_first_message newest;
  location = /publish { nchan_publisher; nchan_channel_id $arg_topic; }
  location = /events { nchan_subscriber eventsource; nchan_channel_id $arg_topic; }
  location = /poll { nchan_subscriber longpoll; nchan_channel_id $arg_topic; }
}`;

/** Starts nchan in nginx, with one process. */
async function startNchan(): Promise<RunningServer> {
  if (!existsSync(NCHAN)) throw new Error(`no ${NCHAN}: install nchan (on Debian: apt-get install libnginx-mod-nchan)`);
  const nginx = await startNginx(NCHAN_SITE, { modules: [NCHAN], connections: NGINX_CONNECTIONS });
  return {
    process: measuredProgram(nginx.pid),
    port: nginx.port,
    async publish(topic, data) {
      const response = await fetch(`http://127.0.0.1:${nginx.port}/publish?topic=${topic}`, {
        method: 'POST',
        body: JSON.stringify({ topic, version: Date.now() * 1000, data }),
      });
      await response.arrayBuffer();
      if (!response.ok) throw new Error(`nchan answered ${response.status}`);
    },
    stop: () => nginx.stop(),
  };
}

function contender(name: string, protocol: Protocol, start: Contender['start']): Contender {
  return { name, protocol, confirmsSubscription: false, start };
}

const startBare: Contender['start'] = (options) => startPublisher('uws-http-server.ts', options);

/** Returns the contenders of each transport over HTTP; the first is the baseline. */
export function httpContenders(
  against: string | undefined,
): readonly (readonly [baseline: Contender, ...others: Contender[]])[] {
  return [
    compared({ transport: 'sse', nchan: 'sse', against }),
    compared({ transport: 'long-poll', nchan: 'nchan-long-poll', against }),
  ];
}

function compared({
  transport,
  nchan,
  against,
}: {
  transport: 'sse' | 'long-poll';
  nchan: Protocol;
  against: string | undefined;
}) {
  const name = transport === 'sse' ? 'SSE' : transport;
  const relay = contender(`Heliograph, ${name}`, transport, RELAY.start);
  const others =
    against === undefined ? [contender(`nchan, ${name}`, nchan, startNchan)] : ofOtherBuild([relay], against);
  return [contender(`bare uWebSockets.js, ${name}`, transport, startBare), relay, ...others] as const;
}
