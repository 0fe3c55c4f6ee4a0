/**
 * Replaces the parts of this page that change (`data-live`) by those of a newer document. Keeps the scroll positions of
 * tables, and the focus. Returns false if the document is another page, such as the login form.
 */
export function replaceLiveParts(newer: Document): boolean {
  const parts = [...document.querySelectorAll<HTMLElement>('[data-live]')];
  const found = parts.map((part) => newer.querySelector(`[data-live="${part.dataset.live}"]`));
  if (found.includes(null)) return false;
  parts.forEach((part, i) => {
    const replacement = found[i];
    if (replacement && replacement.innerHTML !== part.innerHTML) replaceContent(part, replacement);
  });
  return true;
}

function replaceContent(part: HTMLElement, replacement: Element): void {
  const focused = part.contains(document.activeElement) ? document.activeElement : null;
  const index = [...part.querySelectorAll('a, [tabindex]')].indexOf(focused as Element);
  const lefts = [...part.querySelectorAll('.scroll')].map(({ scrollLeft }) => scrollLeft);
  part.replaceChildren(...replacement.childNodes);
  [...part.querySelectorAll('.scroll')].forEach((table, i) => {
    table.scrollLeft = lefts[i] ?? 0;
  });
  if (!focused) return;
  const href = focused.getAttribute('href');
  const candidates = [...part.querySelectorAll<HTMLElement>('a, [tabindex]')];
  const same = href === null ? undefined : candidates.find((element) => element.getAttribute('href') === href);
  (same ?? candidates[index])?.focus({ preventScroll: true });
}
