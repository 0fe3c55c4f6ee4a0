import { BlockList } from 'node:net';
import { describe, expect, it } from 'vitest';
import { createClientAddressReader } from '../../../../services/shared/http/client-address.ts';
import { createUntrustedProxyLog } from '../../../../services/shared/http/untrusted-proxy-log.ts';

describe('the log of proxies that are not trusted', () => {
  it('has a line a minute, with the last address and the number of requests', () => {
    const lines: object[] = [];
    let nowMs = 0;
    const clock = { monotonicMs: () => nowMs };
    const logger = { warn: (fields: object) => lines.push(fields) };
    const trusted = new BlockList();
    trusted.addAddress('10.0.0.9');
    const read = createClientAddressReader(trusted, createUntrustedProxyLog({ logger, clock } as never));
    read('::ffff:10.0.0.1', '198.51.100.1');
    read('10.0.0.2', '198.51.100.1');
    read('10.0.0.3', '');
    read('10.0.0.9', '10.0.0.5, 198.51.100.1');
    expect(lines).toEqual([{ address: '10.0.0.1', times: 1 }]);
    nowMs = 60_000;
    read('10.0.0.4', '198.51.100.1');
    expect(lines.slice(1)).toEqual([{ address: '10.0.0.4', times: 2 }]);
  });
});
