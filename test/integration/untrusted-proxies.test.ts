import { describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { startService } from '../support/service-process.ts';
import { signedHeaders, WEBHOOK_SECRET } from '../support/signed-headers.ts';

const SETTINGS = {
  MAX_CONNECTIONS_PER_ADDRESS: '10',
  COMMENT_RATE: '10',
  WEBHOOK_SECRETS: WEBHOOK_SECRET,
  STATS_TOKEN: 'a-token-of-statistics',
};
const HINT = 'not in TRUSTED_PROXIES';

describe('X-Forwarded-For', () => {
  it('from an address that is not trusted is logged by each service that counts addresses, once a minute', async () => {
    await using service = await startService('standalone', SETTINGS);
    const { relay, webhook, chat } = service.ports;
    const forwarded = { 'x-forwarded-for': '198.51.100.1' };
    const json = { ...forwarded, 'content-type': 'application/json' };
    const update = '{"topic":"a"}';
    const signed = { ...forwarded, ...signedHeaders(update) };
    const bearer = { ...forwarded, authorization: 'Bearer wrong-token-of-statistics' };
    const callEach = () =>
      Promise.all([
        fetch(`http://127.0.0.1:${relay}/topics/a`, { headers: { ...forwarded, prefer: 'wait=0' } }),
        fetch(`http://127.0.0.1:${webhook}/webhook`, { method: 'POST', headers: signed, body: update }),
        fetch(`http://127.0.0.1:${chat}/comments`, { method: 'POST', headers: json, body: '{"name":"a","text":"b"}' }),
        fetch(`http://127.0.0.1:${service.adminPort}/stats`, { headers: bearer }),
      ]);
    const lines = () =>
      service
        .log()
        .split('\n')
        .filter((line) => line.includes(HINT));
    await callEach();
    await eventually(() => expect(lines()).toHaveLength(4));
    for (const line of lines()) expect(JSON.parse(line)).toMatchObject({ address: '127.0.0.1', times: 1, level: 40 });
    await callEach();
    await service.stop();
    expect(lines()).toHaveLength(4);
  });

  it('from a trusted proxy is not logged', async () => {
    await using service = await startService('standalone', { ...SETTINGS, TRUSTED_PROXIES: '127.0.0.1' });
    const response = await fetch(`http://127.0.0.1:${service.ports.chat}/comments`, {
      method: 'POST',
      headers: { 'x-forwarded-for': '198.51.100.1', 'content-type': 'application/json' },
      body: '{"name":"a","text":"b"}',
    });
    expect(response.ok).toBe(true);
    await service.stop();
    expect(service.log()).not.toContain(HINT);
  });
});
