/** An option, as shells complete it. */
export interface CompletedOption {
  /** Its name with the hyphens. */
  readonly flag: string;
  readonly description: string;
  /** What follows it: one of these words, a file, a text that cannot be completed, or nothing. */
  readonly takes: readonly string[] | 'file' | 'text' | 'nothing';
}

/** A command, as shells complete it; the name is empty for the program itself. */
export interface CompletedCommand {
  readonly name: string;
  readonly options: readonly CompletedOption[];
  /** The words that its arguments may be. */
  readonly words: readonly { readonly word: string; readonly description: string }[];
}

/**
 * Renders the branches of a shell's `case` of a command and the option before the cursor, for options that take a value.
 *
 * @param complete returns the commands of the shell that complete the value
 */
export function renderValueCases(
  commands: readonly CompletedCommand[],
  complete: (takes: Exclude<CompletedOption['takes'], 'nothing'>) => string,
): string {
  const patterns = new Map<string, string[]>();
  for (const { name, options } of commands) {
    for (const { flag, takes } of options) {
      if (takes === 'nothing') continue;
      const action = complete(takes);
      patterns.set(action, [...(patterns.get(action) ?? []), quoted(`${name} ${flag}`)]);
    }
  }
  return [...patterns].map(([action, all]) => `  ${all.join(' | ')}) ${action} ;;`).join('\n');
}

/** Returns the options before the command that take a value, as a pattern of `case`. */
export function valueFlagsOfProgram(commands: readonly CompletedCommand[]): string {
  const [program] = commands;
  const flags = program?.options.filter(({ takes }) => takes !== 'nothing').map(({ flag }) => flag) ?? [];
  return flags.join(' | ');
}

/** Returns a text as one word of a shell. */
export function quoted(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
