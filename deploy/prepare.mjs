// Builds after `npm ci`, except in a production install, which has a built `dist` and no tools.
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';

if (existsSync(new URL('../node_modules/esbuild', import.meta.url))) {
  execFileSync('npm', ['run', 'build'], { stdio: 'inherit' });
}
