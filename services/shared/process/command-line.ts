import type { Environment } from '../config/env-reader.ts';

/** The variable in which `heliograph <script>` names itself to the script that it runs. */
export const STARTED_AS = 'HELIOGRAPH_COMMAND';

/** User name and password in a URL. */
const URL_CREDENTIALS = /(?<=:\/\/)[^/@]+(?=@)/g;

/**
 * Returns the command line that runs a script of package.json, as `heliograph` if that started this process. It can be shown:
 * credentials in URLs are left out.
 */
export function commandLine(script: string, args: readonly string[], env: Environment): string {
  const isCommand = env[STARTED_AS] === script;
  const program = isCommand ? `heliograph ${script}` : `npm run ${script}`;
  return [
    program,
    ...(args.length > 0 && !isCommand ? ['--'] : []),
    ...args.map((argument) => quote(argument.replace(URL_CREDENTIALS, 'hidden'))),
  ].join(' ');
}

/** Quotes an argument for a shell if it needs quotes. */
function quote(argument: string): string {
  return /^[\w%+,./:=@-]+$/.test(argument) ? argument : `'${argument.replaceAll("'", String.raw`'\''`)}'`;
}
