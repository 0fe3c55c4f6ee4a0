import { type Command, InvalidArgumentError, Option } from 'commander';
import { SignJWT } from 'jose';
import { readSubscribeConfig } from '../../relay/access/access-config.ts';
import { EnvReader } from '../../shared/config/env-reader.ts';
import { parseTopicPatterns } from '../../shared/update/topic-pattern.ts';
import { durationArgument } from '../arguments.ts';
import type { CommandContext } from '../command-context.ts';
import { CommandError } from '../command-error.ts';

const MAX_LIFETIME_MS = 365 * 24 * 3_600_000;

interface TokenOptions {
  readonly topics: readonly string[];
  readonly expires: number;
}

/** Adds `token`, which prints a token for private topics that a relay with the same environment accepts. */
export function addTokenCommand(program: Command, context: CommandContext): void {
  program
    .command('token')
    .description('print a token for private topics, signed with JWT_SECRET, to try things out')
    .requiredOption('--topics <topics>', 'topics, or prefixes followed by *, separated by commas', parsePatterns)
    .addOption(
      new Option('--expires <time>', 'how long it is valid')
        .argParser(durationArgument(1000, MAX_LIFETIME_MS))
        .default(3_600_000, '1h'),
    )
    .action((options: TokenOptions) => printToken(options, context));
}

async function printToken(options: TokenOptions, { env, stdout }: CommandContext): Promise<void> {
  const reader = new EnvReader(env);
  const { keys, audience, issuer, maxAgeMs } = readSubscribeConfig(reader);
  reader.finish();
  if (keys?.kind !== 'secret') {
    throw new CommandError('JWT_SECRET must be set as for the relay: with other keys, their owner signs tokens', 2);
  }
  if (options.expires > maxAgeMs) throw new CommandError(`--expires must be at most JWT_MAX_AGE, ${maxAgeMs}ms`, 2);
  const token = new SignJWT({ topics: options.topics })
    .setProtectedHeader({ alg: 'HS256' })
    .setIssuedAt()
    .setExpirationTime(new Date(Date.now() + options.expires));
  if (audience !== undefined) token.setAudience(audience);
  if (issuer !== undefined) token.setIssuer(issuer);
  stdout.write(`${await token.sign(keys.secret)}\n`);
}

function parsePatterns(text: string): readonly string[] {
  const patterns = text.split(',').map((pattern) => pattern.trim());
  if (!parseTopicPatterns(patterns)) throw new InvalidArgumentError('It must hold topics, or prefixes followed by *');
  return patterns;
}
