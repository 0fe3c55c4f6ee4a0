import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { inject, vi } from 'vitest';
import { slowdown } from '../../support/slowdown.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** The script that tests use instead of the file of this name. */
    changedScript: { readonly file: string; readonly lua: string };
  }
}

/** A test that takes longer has noticed the change: no test takes half of it. */
const LIMIT_MS = 15_000;

vi.setConfig({ testTimeout: LIMIT_MS * slowdown(), hookTimeout: LIMIT_MS * slowdown() });

// Scripts are read when the code under test is loaded. Their files stay as they are: other tests may run beside these.
const { file, lua } = inject('changedScript');
const { readFileSync } = fs;
fs.readFileSync = ((path: fs.PathOrFileDescriptor, options: BufferEncoding) =>
  String(path).endsWith(`/redis/scripts/${file}`) ? lua : readFileSync(path, options)) as typeof readFileSync;
syncBuiltinESMExports();
