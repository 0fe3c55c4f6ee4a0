import { expect, it } from 'vitest';
import { prefersHtml, renderRoot } from '../../../../services/shared/http/root-page.ts';

it.each([
  ['text/html,application/xhtml+xml,*/*;q=0.8', true],
  ['TEXT/HTML', true],
  ['application/json, text/html;q=0.9', false],
  ['application/json;q=0.5, text/html;q=0.9', true],
  ['text/html;q=0', false],
  ['text/html;q=x', false],
  ['*/*', false],
  ['', false],
  ['application/json', false],
])('a client that accepts "%s" gets a page: %s', (accept, isPage) => {
  expect(prefersHtml(accept)).toBe(isPage);
});

it('a page shows everything as text, and links only to what a browser can open', () => {
  const description = {
    service: '<b>relay',
    text: 'A & B',
    links: [
      { href: '/a?b="c"', text: '<i>' },
      { href: 'POST /x', text: 'a call', isCall: true },
    ],
  };
  const { body } = renderRoot(description, 'text/html');
  expect(body).toContain('<a href="/a?b=&quot;c&quot;">/a?b=&quot;c&quot;</a>');
  expect(body).toContain('<dt>POST /x</dt>');
  expect(body).not.toMatch(/<b>|<i>|A & B/);
  expect(JSON.parse(renderRoot(description, '*/*').body).links).toEqual({ '/a?b="c"': '<i>', 'POST /x': 'a call' });
});
