// Builds `dist`, as `npm run build`: compiles the services, bundles the browser client and the scripts of pages into one file
// each, packs the client library for npm, and copies the assets that services read. Replaces only files that changed, each
// atomically, because tests and running services may read them meanwhile.
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { minify } from 'terser';
import { packClient } from './client-package.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const ASSETS = new Set(['.lua', '.sql', '.css', '.svg']);

function writeWhole(path, contents) {
  if (existsSync(path) && readFileSync(path).equals(Buffer.from(contents))) return;
  mkdirSync(dirname(path), { recursive: true });
  const temporary = `${path}.${process.pid}.tmp`;
  writeFileSync(temporary, contents);
  renameSync(temporary, path);
}

// Beside `dist`, so that the source maps need the same relative paths. tsc itself truncates a file before it writes it.
const compiled = join(root, `dist.${process.pid}`);
try {
  execFileSync('tsc', ['-p', 'tsconfig.build.json', '--outDir', compiled], { cwd: root, stdio: 'inherit' });
  for (const path of readdirSync(compiled, { recursive: true })) {
    if (extname(path) !== '') writeWhole(join(root, 'dist', path), readFileSync(join(compiled, path)));
  }
} finally {
  rmSync(compiled, { recursive: true, force: true });
}

for (const [entry, outfile, sourceMap] of [
  ['services/client/heliograph-client.ts', 'dist/client/client.js', 'external'], // announced by a response header
  ['services/chat/page/chat-page.ts', 'dist/chat/public/chat.js', 'linked'],
  ['services/stats/pages/script/stats-page.ts', 'dist/stats/public/stats.js', undefined],
  ['services/stats/pages/script/developers-page.ts', 'dist/stats/public/developers.js', undefined],
]) {
  const { outputFiles } = await build({
    absWorkingDir: root,
    entryPoints: [entry],
    outfile,
    bundle: true,
    format: 'esm',
    target: 'es2022',
    minify: true,
    sourcemap: 'external',
    write: false,
  });
  const [map, bundle] = outputFiles;
  // Saves another 5 % after esbuild: every browser loads this file.
  const { code, map: minified } = await minify(bundle.text, {
    module: true,
    ecma: 2022,
    compress: { passes: 2 },
    sourceMap: {
      content: map.text,
      filename: basename(outfile),
      url: sourceMap === 'linked' ? basename(map.path) : undefined,
      includeSources: true,
    },
  });
  writeWhole(bundle.path, code);
  if (sourceMap) writeWhole(map.path, minified);
}

writeWhole(join(root, 'dist/client/heliograph-client.tgz'), await packClient(root));

for (const path of readdirSync(join(root, 'services'), { recursive: true })) {
  if (!ASSETS.has(extname(path))) continue;
  writeWhole(join(root, 'dist', path), readFileSync(join(root, 'services', path)));
}

// Run by path, without npm, which would make it executable.
chmodSync(join(root, 'dist/cli/main.js'), 0o755);
