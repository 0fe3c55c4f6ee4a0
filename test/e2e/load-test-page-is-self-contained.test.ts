import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { renderHtml } from '../../services/loadtest/report/report-html.ts';
import { openPage, startBrowser } from '../support/browser.ts';
import { loadTestReport } from '../support/load-test-report.ts';

describe('the page of a load test in a browser', () => {
  const folder = mkdtempSync(join(tmpdir(), 'heliograph-page-'));
  const url = pathToFileURL(join(folder, 'report.html')).href;
  let browser: Browser;

  beforeAll(async () => {
    writeFileSync(join(folder, 'report.html'), renderHtml(loadTestReport({ label: '<b>a label</b>' })));
    browser = await startBrowser(inject('chromiumPath'));
  });
  afterAll(async () => {
    await browser.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it.each([
    ['a desk', 1280],
    ['a phone', 360],
  ])('shows all of it on %s without scripts, fetches nothing, and is no wider than the screen', async (_, width) => {
    const options = { javaScriptEnabled: false, viewport: { width, height: 800 } };
    const { page, requests, complaints } = await openPage(browser, url, options);
    expect(await page.locator('h1').innerText()).toBe('2,000 clients, all told within 50.0 ms');
    expect(await page.locator('.kind').innerText()).toContain('<b>a label</b>');
    expect(await page.locator('figure').count()).toBe(7);
    for (const figure of await page.locator('figure').all()) {
      const { width: drawn = 0, height = 0 } = (await figure.locator('svg').boundingBox()) ?? {};
      expect(drawn).toBeGreaterThan(width / 4);
      expect(height).toBeGreaterThan(100);
    }
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(width);
    expect(requests).toHaveLength(1);
    expect(complaints).toEqual([]);
  });

  it('shows the numbers behind a plot where the pointer rests', async () => {
    const { page } = await openPage(browser, url, { javaScriptEnabled: false });
    const plot = page.locator('figure', { hasText: 'Deliveries a second' });
    const slot = plot.locator('.slot').nth(20);
    expect(await slot.locator('.tip').isVisible()).toBe(false);
    await slot.hover();
    expect(await slot.locator('.tip').innerText()).toMatch(/21 s\s+2,000/);
  });

  it('is dark where the system is', async () => {
    const ground = async (colorScheme: 'light' | 'dark') => {
      const { page } = await openPage(browser, url, { colorScheme });
      return page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    };
    expect(await ground('light')).toBe('rgb(247, 243, 236)');
    expect(await ground('dark')).toBe('rgb(21, 18, 14)');
  });
});
