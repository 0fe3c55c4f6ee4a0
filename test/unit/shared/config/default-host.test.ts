import type { NetworkInterfaceInfo } from 'node:os';
import { describe, expect, it } from 'vitest';
import { defaultHost } from '../../../../services/shared/config/default-host.ts';
import { EnvReader } from '../../../../services/shared/config/env-reader.ts';

const address = (family: 'IPv4' | 'IPv6') => ({ family }) as NetworkInterfaceInfo;

describe('the default host', () => {
  it('is every address, or every one of IPv4 on a machine without IPv6', () => {
    expect(defaultHost({ lo: [address('IPv4'), address('IPv6')], eth0: [address('IPv4')] })).toBe('::');
    expect(defaultHost({ lo: [address('IPv4')], eth0: [address('IPv4')] })).toBe('0.0.0.0');
    expect(defaultHost({})).toBe('0.0.0.0');
  });

  it('gives way to a setting, and is documented as `::` on every machine', () => {
    const env = new EnvReader({ RELAY_HOST: '127.0.0.1' });
    expect(env.host('RELAY_HOST')).toBe('127.0.0.1');
    expect(env.host('ADMIN_HOST')).toBe(defaultHost());
    expect(env.settings().map((setting) => setting.default)).toEqual(['::', '::']);
  });
});
