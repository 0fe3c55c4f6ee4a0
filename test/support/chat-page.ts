import type { Page } from 'playwright-core';
import { expect } from 'vitest';
import { eventually } from './eventually.ts';

/** Drives the chat page in a browser. */
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

  /** Returns the texts of the comments shown, newest first. */
  texts(): Promise<string[]> {
    return this.page.locator('.comment .text').allTextContents();
  }

  /** Waits until exactly these texts are shown. */
  async shows(texts: readonly string[], timeoutMs?: number): Promise<void> {
    await eventually(async () => expect(await this.texts()).toEqual(texts), timeoutMs);
  }

  /** Waits for a status of the connection. */
  async hasStatus(status: 'connecting' | 'live' | 'stale' | 'offline', timeoutMs?: number): Promise<void> {
    await eventually(async () => {
      expect(await this.page.getAttribute('#status', 'data-status')).toBe(status);
    }, timeoutMs);
  }

  /** Fast-forwards a page with a virtual clock until it is live again. */
  async reconnects(stepMs: number): Promise<void> {
    await eventually(async () => {
      await this.page.clock.fastForward(stepMs);
      await this.hasStatus('live', 200);
    });
  }
}
