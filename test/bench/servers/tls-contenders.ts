import { type Certificate, makeCertificate } from '../../support/certificate.ts';
import { runHaproxy } from '../../support/haproxy.ts';
import { startNginx } from '../../support/nginx.ts';
import type { Contender, RunningServer, StartOptions } from './contender.ts';
import { RELAY, startRelay } from './contenders.ts';
import { measuredProgram, measuredTogether } from './measured-process.ts';

/** A proxy that terminates TLS, and the rest of its configuration but buffers, at their defaults. */
type StartProxy = (
  relayPort: number,
  certificate: Certificate,
) => Promise<{ port: number; pid: number; stop(): Promise<void> }>;

const startNginxWithTls: StartProxy = (relayPort, { certFile, keyFile }) =>
  startNginx(
    `server {
      listen 127.0.0.1:PORT ssl backlog=4096;
      ssl_certificate ${certFile};
      ssl_certificate_key ${keyFile};
      location / {
        proxy_pass http://127.0.0.1:${relayPort};
        proxy_http_version 1.1;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection upgrade;
        proxy_read_timeout 1h;
      }
    }`,
    { connections: 16_000 },
  );

const startHaproxyWithTls: StartProxy = (relayPort, { bothFile }) =>
  runHaproxy(`global
  maxconn 9000
  nbthread 1
defaults
  mode http
  timeout connect 10s
  timeout client 60s
  timeout server 60s
  timeout tunnel 1h
listen relays
  bind 127.0.0.1:PORT ssl crt ${bothFile}
  server relay 127.0.0.1:${relayPort}
`);

/** Starts a server with a certificate, and removes its files at the end. */
async function withCertificate(start: (certificate: Certificate) => Promise<RunningServer>): Promise<RunningServer> {
  const certificate = makeCertificate();
  try {
    const server = await start(certificate);
    const stop = async () => {
      await server.stop();
      certificate[Symbol.dispose]();
    };
    return { ...server, caFile: certificate.certFile, stop };
  } catch (error) {
    certificate[Symbol.dispose]();
    throw error;
  }
}

function startBehind(startProxy: StartProxy) {
  return (options: StartOptions) =>
    withCertificate(async (certificate) => {
      const relay = await startRelay(options);
      const proxy = await startProxy(relay.port, certificate);
      return {
        ...relay,
        port: proxy.port,
        process: measuredTogether([relay.process, measuredProgram(proxy.pid)]),
        async stop() {
          await proxy.stop();
          await relay.stop();
        },
      };
    });
}

/** The ways to serve TLS; the first has none. A proxy counts together with its relay. */
export const TLS_CONTENDERS: readonly Contender[] = [
  { ...RELAY, name: 'no TLS' },
  {
    ...RELAY,
    name: 'TLS in the relay',
    start: (options) =>
      withCertificate(({ certFile, keyFile }) =>
        startRelay(options, { TLS_CERT_FILE: certFile, TLS_KEY_FILE: keyFile }),
      ),
  },
  { ...RELAY, name: 'nginx before the relay', start: startBehind(startNginxWithTls) },
  { ...RELAY, name: 'HAProxy before the relay', start: startBehind(startHaproxyWithTls) },
];
