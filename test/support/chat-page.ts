import type { Page } from 'playwright-core';
import { expect } from 'vitest';
import { eventually } from './eventually.ts';

/** The chat's page as somebody uses it. */
export class ChatPage {
  readonly page: Page;

  constructor(page: Page) {
    this.page = page;
  }

  /** Writes a comment and sends it by the Enter key. */
  async write(name: string, text: string): Promise<void> {
    await this.page.fill('#name', name);
    await this.page.fill('#text', text);
    await this.page.press('#text', 'Enter');
  }

  /** The texts that are shown, the newest first. */
  texts(): Promise<string[]> {
    return this.page.locator('.comment .text').allTextContents();
  }

  /** Waits until exactly these texts are shown. */
  async shows(texts: readonly string[], timeoutMs?: number): Promise<void> {
    await eventually(async () => expect(await this.texts()).toEqual(texts), timeoutMs);
  }

  /** Waits for a state of the connection. */
  async is(status: 'connecting' | 'live' | 'stale' | 'offline', timeoutMs?: number): Promise<void> {
    await eventually(async () => {
      expect(await this.page.getAttribute('#status', 'data-status')).toBe(status);
    }, timeoutMs);
  }

  /** Lets the time of a page with a clock of its own run fast until it is live again. */
  async comesBack(stepMs: number): Promise<void> {
    await eventually(async () => {
      await this.page.clock.fastForward(stepMs);
      await this.is('live', 200);
    }, 15_000);
  }
}
