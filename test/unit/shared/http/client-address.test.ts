import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createClientAddressReader, parseProxies } from '../../../../services/shared/http/client-address.ts';

function read(address: string, forwardedFor = '', proxies: string[] = []): string {
  const list = parseProxies(proxies);
  if (!list) throw new Error('invalid proxies');
  return createClientAddressReader(list)(address, forwardedFor);
}

describe("a client's address", () => {
  it.each([
    ['203.0.113.7', '', [], '203.0.113.7'],
    ['203.0.113.7', '198.51.100.1', [], '203.0.113.7'],
    ['10.0.0.1', '198.51.100.1', ['10.0.0.0/8'], '198.51.100.1'],
    ['10.0.0.1', '6.6.6.6, 198.51.100.1', ['10.0.0.0/8'], '198.51.100.1'],
    ['10.0.0.1', '6.6.6.6, 198.51.100.1, 10.2.3.4', ['10.0.0.0/8'], '198.51.100.1'],
    ['10.0.0.1', '10.2.3.4', ['10.0.0.0/8'], '10.2.3.4'],
    ['10.0.0.1', 'unknown', ['10.0.0.0/8'], '10.0.0.1'],
    ['10.0.0.1', '', ['10.0.0.1'], '10.0.0.1'],
    ['10.0.0.1', ' , ,', ['10.0.0.0/8'], '10.0.0.1'],
    ['10.0.0.1', '198.51.100.1:4711', ['10.0.0.0/8'], '198.51.100.1'],
    ['10.0.0.1', '[2001:db8::1]:4711', ['10.0.0.0/8'], '2001:db8:0:0::/64'],
    ['::ffff:203.0.113.7', '', [], '203.0.113.7'],
    ['0000:0000:0000:0000:0000:ffff:cb00:7107', '', [], '203.0.113.7'],
    ['::ffff:10.0.0.1', '198.51.100.1', ['10.0.0.0/8'], '198.51.100.1'],
    ['2001:0db8:0000:0001:0000:0000:0000:0001', '', [], '2001:db8:0:1::/64'],
    ['2001:db8:0:1:ffff::9', '', [], '2001:db8:0:1::/64'],
    ['2001:db8:0:2::9', '', [], '2001:db8:0:2::/64'],
    ['::1', '', [], '0:0:0:0::/64'],
    ['fd00::1', '198.51.100.1', ['fd00::/8'], '198.51.100.1'],
  ])('of %s behind "%s", trusting %j, is %s', (address, forwardedFor, proxies, expected) => {
    expect(read(address, forwardedFor, proxies)).toBe(expected);
  });

  it.each(['10.0.0.0/33', '10.0.0', 'proxy', '10.0.0.0/8/8', '10.0.0.0/', '::/129', '10.0.0.0/-1'])(
    'has no reader for the invalid proxy %s',
    (proxy) => expect(parseProxies([proxy])).toBeUndefined(),
  );

  it('is read from any header without an error', () => {
    fc.assert(
      fc.property(fc.string(), fc.oneof(fc.ipV4(), fc.ipV6()), (header, address) => {
        expect(typeof read(address, header, ['0.0.0.0/0', '::/0'])).toBe('string');
      }),
    );
  });
});
