// Entry point of the image: `role.mjs relay` runs `dist/relay/main.js`. Each folder of `dist` with a main file is a role.
import { existsSync, readdirSync } from 'node:fs';

const dist = new URL('../dist/', import.meta.url);
const roles = readdirSync(dist).filter((folder) => existsSync(new URL(`${folder}/main.js`, dist)));
const [role = ''] = process.argv.splice(2, 1); // the remaining arguments are the role's

if (roles.includes(role)) {
  await import(new URL(`${role}/main.js`, dist).href);
} else {
  process.stderr.write(`the first argument must be a role: ${roles.join(', ')}\n`);
  process.exitCode = 1;
}
