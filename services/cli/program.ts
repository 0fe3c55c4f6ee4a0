import { Command } from 'commander';
import { readPackageVersion } from '../shared/package-version.ts';
import type { CommandContext } from './command-context.ts';
import { addCanaryCommand } from './commands/canary.ts';
import { addCompletionCommand } from './commands/completion.ts';
import { addDoctorCommand } from './commands/doctor.ts';
import { addListenCommand } from './commands/listen.ts';
import { addProgramCommands } from './commands/programs.ts';
import { addPublishCommand } from './commands/publish.ts';
import { addServiceCommands } from './commands/services.ts';
import { addTokenCommand } from './commands/token.ts';

/** Creates the command line with all its commands. Invalid arguments are printed, and throw a `CommanderError`. */
export function createProgram(context: CommandContext): Command {
  const program = new Command('heliograph')
    .description('Server push that never loses an update.')
    .version(readPackageVersion(), '--version', 'print the version')
    .option('--env-file <file>', 'read environment variables from a file; those that are set already win')
    .helpOption('--help', 'print this help')
    .helpCommand(false)
    .addHelpText('after', '\nThe settings of services are environment variables.')
    .showHelpAfterError('(--help lists all options)')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void context.stdout.write(text),
      writeErr: (text) => void context.stderr.write(text),
    })
    .hook('preAction', (_, command) => {
      const { envFile } = command.optsWithGlobals<{ envFile?: string }>();
      if (envFile !== undefined) context.loadEnvFile(envFile);
    });
  addServiceCommands(program);
  addPublishCommand(program, context);
  addListenCommand(program, context);
  addCanaryCommand(program, context);
  addTokenCommand(program, context);
  addDoctorCommand(program, context);
  addProgramCommands(program, context);
  addCompletionCommand(program, context);
  return program;
}
