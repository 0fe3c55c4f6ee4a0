import { Argument, type Command, type Option } from 'commander';
import { FLAG_TABLE, OPTION_TABLE, type OptionRow, PRESETS } from '../../loadtest/options/option-table.ts';
import type { CommandContext } from '../command-context.ts';
import { renderBashCompletion } from '../completion/bash-completion.ts';
import type { CompletedCommand, CompletedOption } from '../completion/completed-command.ts';
import { renderZshCompletion } from '../completion/zsh-completion.ts';

const SHELLS = { bash: renderBashCompletion, zsh: renderZshCompletion } as const;

/** Adds `completion`, which prints a script that makes a shell complete commands and options. */
export function addCompletionCommand(program: Command, { stdout }: CommandContext): void {
  program
    .command('completion')
    .description('print a script that completes commands and options in a shell')
    .addArgument(new Argument('<shell>', 'the shell').choices(Object.keys(SHELLS)))
    .action((shell: keyof typeof SHELLS) => {
      stdout.write(SHELLS[shell](describeCommands(program)));
    });
}

/** Describes the program, as a command without a name, and its commands. */
function describeCommands(program: Command): readonly CompletedCommand[] {
  const shared = program.options.map(describeOption);
  const root = {
    name: '',
    options: [...shared, HELP],
    words: program.commands.map((command) => ({ word: command.name(), description: command.description() })),
  };
  return [
    root,
    ...program.commands.map((command) => ({
      name: command.name(),
      options: [
        ...(command.name() === 'loadtest' ? describeLoadTestOptions() : command.options.map(describeOption)),
        ...shared.filter(({ flag }) => flag !== '--version'),
        HELP,
      ],
      words: command.registeredArguments.flatMap(({ argChoices = [], description }) =>
        argChoices.map((word) => ({ word, description })),
      ),
    })),
  ];
}

const HELP: CompletedOption = { flag: '--help', description: 'print this help', takes: 'nothing' };

function describeOption({ long, description, flags, required, argChoices }: Option): CompletedOption {
  const takes: CompletedOption['takes'] =
    argChoices ?? (flags.endsWith('<file>') ? 'file' : required ? 'text' : 'nothing');
  return { flag: long ?? flags, description, takes };
}

/** The load test has a command line of its own. */
function describeLoadTestOptions(): readonly CompletedOption[] {
  const takes = (name: string, { value }: OptionRow): CompletedOption['takes'] => {
    if (name === 'preset') return Object.keys(PRESETS);
    if (value === 'FILE') return 'file';
    const words = value.split('|').filter((word) => /^[a-z]+$/.test(word));
    return words.length > 0 ? words : 'text';
  };
  return [
    ...Object.entries<OptionRow>(OPTION_TABLE).map(([name, row]) => ({
      ...{ flag: `--${name}`, description: row.help, takes: takes(name, row) },
    })),
    ...Object.entries(FLAG_TABLE)
      .filter(([name]) => name !== 'help')
      .map(([name, description]) => ({ flag: `--${name}`, description, takes: 'nothing' as const })),
  ];
}
