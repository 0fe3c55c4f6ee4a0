import { readPages } from './pages.ts';

/** The ACL user that the pages recommend, as arguments of `redis-server` or `ACL SETUSER`, and its credentials. */
export interface ReadmeAcl {
  readonly rules: readonly string[];
  readonly username: string;
  readonly password: string;
}

/** Reads the user from the pages, on request with the commands that Redis Cluster or call statistics need as well. */
export function readReadmeAcl(options: { cluster?: boolean; stats?: boolean } = {}): ReadmeAcl {
  const text = readPages()
    .map((page) => page.text)
    .join('\n');
  const [, username = '', rules = ''] = /^user (\S+) (.+)$/m.exec(text) ?? [];
  const password = / >(\S+)/.exec(rules)?.[1] ?? '';
  const forStats = /^Call statistics .*need `(\+[^`]+)`/m.exec(text)?.[1] ?? '';
  const forCluster = /^Redis Cluster needs `(\+[^`]+)`/m.exec(text)?.[1] ?? '';
  if (!username || !password || !forStats || !forCluster) throw new Error('no page has the ACL user');
  return {
    rules: `${rules} ${options.stats ? forStats : ''} ${options.cluster ? forCluster : ''}`.trim().split(/ +/),
    username,
    password,
  };
}

/** Reads the permissions of an ACL user of Sentinels from the pages. */
export function readSentinelRules(): string {
  const rules = readPages()
    .map(({ text }) => /^An ACL user of Sentinels .*needs `([^`]+)`/m.exec(text)?.[1])
    .find((found) => found !== undefined);
  if (!rules) throw new Error('no page has the permissions of the user of Sentinels');
  return rules;
}
