// Builds the npm package of the client library, after tsc: ES module and CommonJS with types and source maps, as the tarball
// that relays serve. Lockfiles pin its hash, so the same sources must give the same bytes on every machine and Node version.
import { readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path/posix';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';

/** As `npm pack`: 1985-10-26, since some tools reject 1970. */
const MODIFIED_S = 499_162_500;
/** The entries of the package, by the path below `services` of their source. */
const ENTRIES = {
  '.': 'client/heliograph-client',
  './react': 'client/adapters/react',
  './query': 'client/adapters/query',
  './swr': 'client/adapters/swr',
  './turbo': 'client/adapters/turbo',
};
const TAR_BLOCK_BYTES = 512;
const MAX_STORED_BYTES = 65_535;

/**
 * Returns the tarball.
 *
 * @param {string} root the folder of the repository, with a trailing slash
 */
export async function packClient(root) {
  const read = (path) => readFileSync(root + path, 'utf8');
  const project = JSON.parse(read('package.json'));
  const types = readTypes(root);
  return gzipStored(
    tar([
      ['package.json', `${JSON.stringify(manifest(project), null, 2)}\n`],
      ['LICENSE', read('LICENSE')],
      ...(await bundle(root, 'esm')),
      ...types.map(([path, text]) => [join('types', path), text]),
      // CommonJS needs its own copy of the types: their format is that of the nearest package.json.
      ['cjs/package.json', '{"type":"commonjs"}\n'],
      ...(await bundle(root, 'cjs')).map(([path, text]) => [join('cjs', path), text]),
      ...types.map(([path, text]) => [join('cjs/types', path), text]),
    ]),
  );
}

function manifest({ version, license, peerDependencies, peerDependenciesMeta }) {
  const entry = (folder, source = ENTRIES['.']) => ({
    types: `./${join(folder, 'types', source)}.d.ts`,
    default: `./${join(folder, basename(source))}.js`,
  });
  const entries = Object.entries(ENTRIES).map(([name, source]) => [
    name,
    { import: entry('', source), require: entry('cjs', source) },
  ]);
  return {
    name: 'heliograph-client',
    version,
    description: 'Subscribes pages and Node processes to topics on a Heliograph relay.',
    license,
    type: 'module',
    sideEffects: false,
    exports: { ...Object.fromEntries(entries), './package.json': './package.json' },
    // For tools that do not read `exports`.
    main: entry('cjs').default,
    module: entry('').default,
    types: entry('cjs').types,
    peerDependencies,
    peerDependenciesMeta,
    engines: { node: '>=20' },
  };
}

/** Bundles each entry in one format. Returns the files and their source maps, which contain the sources. */
async function bundle(root, format) {
  const { outputFiles } = await build({
    absWorkingDir: root,
    entryPoints: Object.values(ENTRIES).map((source) => ({ in: `services/${source}.ts`, out: basename(source) })),
    outdir: '.',
    bundle: true,
    packages: 'external',
    format,
    target: 'es2022',
    sourcemap: 'linked',
    write: false,
  });
  return outputFiles.map(({ path, text }) => [basename(path), text]).sort(([one], [other]) => (one < other ? -1 : 1));
}

/** Returns the declarations that the public ones need, with the extensions that all compilers accept. */
function readTypes(root) {
  const found = new Map();
  const pending = Object.values(ENTRIES).map((source) => `${source}.d.ts`);
  for (const path of pending) {
    if (found.has(path)) continue;
    const text = readFileSync(`${root}dist/${path}`, 'utf8')
      .replaceAll(/^\/\/# sourceMappingURL=.*\n?/gm, '')
      .replaceAll(/(from ')(\.[^']*)\.ts'/g, (_, before, specifier) => {
        pending.push(join(dirname(path), `${specifier}.d.ts`));
        return `${before}${specifier}.js'`;
      });
    found.set(path, text);
  }
  return [...found].sort(([one], [other]) => (one < other ? -1 : 1));
}

/** Returns a tar archive (POSIX ustar) of these files in the folder `package`, where npm expects them. */
function tar(files) {
  const blocks = files.flatMap(([path, text]) => {
    const body = Buffer.from(text);
    const padding = Buffer.alloc((TAR_BLOCK_BYTES - (body.length % TAR_BLOCK_BYTES)) % TAR_BLOCK_BYTES);
    return [tarHeader(`package/${path}`, body.length), body, padding];
  });
  return Buffer.concat([...blocks, Buffer.alloc(2 * TAR_BLOCK_BYTES)]);
}

function tarHeader(path, bytes) {
  if (Buffer.byteLength(path) > 100) throw new Error(`${path} is too long for a tar header`);
  const header = Buffer.alloc(TAR_BLOCK_BYTES);
  const octal = (value, length) => `${value.toString(8).padStart(length - 1, '0')}\0`;
  header.write(path, 0);
  header.write(octal(0o644, 8) + octal(0, 8) + octal(0, 8) + octal(bytes, 12) + octal(MODIFIED_S, 12), 100);
  header.write('        0', 148); // the checksum counts as spaces, then the type: a file
  header.write('ustar\x0000', 257);
  header.write(
    `${octal(
      header.reduce((sum, byte) => sum + byte, 0),
      7,
    )} `,
    148,
  );
  return header;
}

/** Returns a gzip file that is not compressed: the output of a compressor depends on its version. */
function gzipStored(bytes) {
  const parts = [Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff])];
  for (let at = 0; at < bytes.length; at += MAX_STORED_BYTES) {
    const block = bytes.subarray(at, at + MAX_STORED_BYTES);
    const head = Buffer.from([at + MAX_STORED_BYTES >= bytes.length ? 1 : 0, 0, 0, 0, 0]);
    head.writeUInt16LE(block.length, 1);
    head.writeUInt16LE(~block.length & 0xffff, 3);
    parts.push(head, block);
  }
  return Buffer.concat([...parts, gzipSync(bytes).subarray(-8)]); // checksum and length
}
