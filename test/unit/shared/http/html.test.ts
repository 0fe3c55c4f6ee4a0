import { describe, expect, it } from 'vitest';
import { html } from '../../../../services/shared/http/html.ts';

describe('html', () => {
  it('escapes inserted values, in text and in attributes', () => {
    const hostile = `<img src=x onerror="alert('1')">&amp;`;
    const shown = '&lt;img src=x onerror=&quot;alert(&#39;1&#39;)&quot;&gt;&amp;amp;';
    expect(html`<p title="${hostile}">${hostile}</p>`.text).toBe(`<p title="${shown}">${shown}</p>`);
  });

  it('inserts HTML as it is, and lists of it', () => {
    const items = ['a', '<b>'].map((text) => html`<li>${text}</li>`);
    expect(html`<ol>${items}</ol>${html`<hr>`}${7}`.text).toBe('<ol><li>a</li><li>&lt;b&gt;</li></ol><hr>7');
  });

  it('throws for an object that only looks like HTML', () => {
    const fake = [{ text: '<b>' }] as unknown as string;
    expect(() => html`${fake}`).toThrow(TypeError);
  });
});
