import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { renderHtml } from '../../services/loadtest/report/report-html.ts';
import { accessibilityProblems } from '../support/accessibility.ts';
import { openPage, startBrowser } from '../support/browser.ts';
import { loadTestReport } from '../support/load-test-report.ts';

describe('the load test report in a browser', () => {
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
    ['a wide', 1280],
    ['a narrow', 360],
  ])('fits %s screen without scripts or requests', async (_, width) => {
    const options = { javaScriptEnabled: false, viewport: { width, height: 800 } };
    const { page, requests, complaints } = await openPage(browser, url, options);
    expect(await page.locator('h1').innerText()).toBe(
      '2,000 clients, 10 updates: 99 % of deliveries within 45.6 ms, all within 123 ms',
    );
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

  it.each([
    ['light', 1280],
    ['dark', 360],
  ] as const)('is accessible in %s colours, %i pixels wide', async (colorScheme, width) => {
    const { page } = await openPage(browser, url, { colorScheme, viewport: { width, height: 800 } });
    expect(await accessibilityProblems(page)).toEqual([]);
  });

  it('shows the values of a plot under the pointer', async () => {
    const { page } = await openPage(browser, url, { javaScriptEnabled: false });
    const plot = page.locator('figure', { hasText: 'Deliveries per second' });
    const slot = plot.locator('.slot').nth(20);
    expect(await slot.locator('.tip').isVisible()).toBe(false);
    await slot.hover();
    expect(await slot.locator('.tip').innerText()).toMatch(/21 s\s+2,000/);
  });

  it('follows the colour scheme of the system', async () => {
    const ground = async (colorScheme: 'light' | 'dark') => {
      const { page } = await openPage(browser, url, { colorScheme });
      return page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    };
    expect(await ground('light')).toBe('rgb(247, 243, 236)');
    expect(await ground('dark')).toBe('rgb(21, 18, 14)');
  });
});
