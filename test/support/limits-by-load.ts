import { vi } from 'vitest';
import { slowdown } from './slowdown.ts';

/** Limits for what hangs, not for what is slow: only few tests take longer than a minute on a quiet machine. */
const LIMIT_MS = 300_000;

vi.setConfig({ testTimeout: LIMIT_MS * slowdown(), hookTimeout: LIMIT_MS * slowdown() });
