import { describe, expect, it } from 'vitest';
import { etagOf, isNotModified, parseIfNoneMatch } from '../../../../services/shared/http/etag.ts';

describe('If-None-Match', () => {
  const etag = etagOf('content');
  const tag = etag.slice(1, -1);

  it.each([
    ['the tag', etag],
    ['the tag as a weak one', `W/${etag}`],
    ['a list', `"other", ${etag}`],
    ['a list without spaces', `"other",W/${etag},"third"`],
    ['any content', '*'],
    ['any content, with spaces', ' * '],
    ['the tag of a proxy that compresses with gzip', `"${tag}-gzip"`],
    ['the tag of a proxy that compresses with Brotli', `W/"${tag}-br"`],
    ['the tag of Jetty', `"${tag}--gzip"`],
  ])('matches %s', (_, header) => {
    expect(isNotModified(header, etag)).toBe(true);
  });

  it.each([
    ['nothing', ''],
    ['other content', '"other"'],
    ['a list of other content', '"other", W/"third"'],
    ['text without quotes', tag],
    ['an open quote', `"${tag}`],
    ['a longer tag', `"${tag}x"`],
    ['another suffix', `"${tag}-x"`],
    ['an asterisk in a list', '"other", *'],
  ])('does not match %s', (_, header) => {
    expect(isNotModified(header, etag)).toBe(false);
  });

  it('takes a tag that itself ends like a suffix as it is', () => {
    expect(parseIfNoneMatch('"abc-gzip"')).toEqual(new Set(['abc-gzip', 'abc']));
    expect(isNotModified('"abc-gzip"', '"abc-gzip"')).toBe(true);
    expect(isNotModified('"abc--gzip"', '"abc-"')).toBe(true);
  });
});
