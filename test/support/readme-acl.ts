import { readFileSync } from 'node:fs';

const README = new URL('../../README.md', import.meta.url);

/** The ACL user that the README recommends, as arguments of `redis-server` or `ACL SETUSER`, and how to log in as it. */
export interface ReadmeAcl {
  readonly rules: readonly string[];
  readonly username: string;
  readonly password: string;
}

/** Reads it from the README; with what Redis Cluster or call statistics need as well, where asked for. */
export function readReadmeAcl(options: { cluster?: boolean; stats?: boolean } = {}): ReadmeAcl {
  const readme = readFileSync(README, 'utf8');
  const [, username = '', rules = ''] = /^user (\S+) (.+)$/m.exec(readme) ?? [];
  const password = / >(\S+)/.exec(rules)?.[1] ?? '';
  const forStats = /^Call statistics .*need `([^`]+)`/m.exec(readme)?.[1] ?? '';
  const forCluster = /^Redis Cluster needs `([^`]+)`/m.exec(readme)?.[1] ?? '';
  if (!username || !password || !forStats || !forCluster) throw new Error('the README names no ACL user');
  return {
    rules: `${rules} ${options.stats ? forStats : ''} ${options.cluster ? forCluster : ''}`.trim().split(/ +/),
    username,
    password,
  };
}
