import { fileURLToPath } from 'node:url';
import { type ChildProgram, startProgram } from './child-program.ts';

/** The built command line. */
export const COMMAND_LINE = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

interface CommandOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string;
}

/** Starts `heliograph <args>`, with only these environment variables. */
export function startCommand(args: readonly string[], options: CommandOptions = {}): ChildProgram {
  return startProgram({ file: COMMAND_LINE, args, ...options });
}

/** Runs `heliograph <args>` until it exits. */
export async function runCommand(
  args: readonly string[],
  options: CommandOptions = {},
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const command = startCommand(args, options);
  const { code } = await command.ended;
  return { code, ...command.output() };
}
