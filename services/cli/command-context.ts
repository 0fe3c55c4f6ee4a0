/** The parts of this process that commands use. */
export interface CommandContext {
  /** Environment variables, with those of `--env-file` once a command runs; programs that a command runs inherit them. */
  readonly env: Record<string, string | undefined>;
  readonly stdin: NodeJS.ReadStream;
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
  /** @throws {CommandError} if the file cannot be read */
  readonly loadEnvFile: (file: string) => void;
}
