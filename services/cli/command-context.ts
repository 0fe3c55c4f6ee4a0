import type { Environment } from '../shared/config/env-reader.ts';

/** The parts of this process that commands use. */
export interface CommandContext {
  /** With the variables of `--env-file`, once a command runs. */
  readonly env: Environment;
  readonly stdin: NodeJS.ReadStream;
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
  /** @throws {CommandError} if the file cannot be read */
  readonly loadEnvFile: (file: string) => void;
}
