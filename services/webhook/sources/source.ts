import { readFileSync } from 'node:fs';
import type { EnvReader } from '../../shared/config/env-reader.ts';
import { parseTopicPatterns, type TopicPattern } from '../../shared/update/topic-pattern.ts';
import { parseTopicTemplate, type TopicTemplate } from './topic-template.ts';
import { VERIFIERS, type Verifier } from './verifiers.ts';

/** A sender whose calls have a form of its own. */
export interface Source {
  readonly name: string;
  /** The name of its verifier. */
  readonly verify: string;
  readonly verifier: Verifier;
  readonly topic: TopicTemplate;
  /** The topics that it may publish. */
  readonly mayPublish: TopicPattern;
  /** The path of the member of an event that becomes `data`: empty for the whole event. Undefined for no data. */
  readonly data: readonly string[] | undefined;
}

export type Sources = ReadonlyMap<string, Source>;

const SETTING = 'WEBHOOK_SOURCES';
const MEMBERS = ['verify', 'secrets', 'topic', 'allow', 'data'];

/** Notes a problem of the file, in words that contain no secret. */
type Fail = (problem: string) => void;

/** Reads the file that `WEBHOOK_SOURCES` names. Without one, there are no sources. */
export function readSources(env: EnvReader): Sources {
  const path = env.optional(SETTING);
  if (path === undefined) return new Map();
  const fail: Fail = (problem) => env.fail(SETTING, problem);
  const file = parseFile(path, fail);
  const sources = Object.entries(file).map(([name, value]) => parseSource(name, value, fail));
  return new Map(sources.filter((source) => source !== undefined).map((source) => [source.name, source]));
}

function parseFile(path: string, fail: Fail): object {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    fail('must be the path of a readable file');
    return {};
  }
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
    fail('must be a file with a JSON object: its members are sources by their name');
  } catch (error) {
    // The rest of the message may contain a secret.
    const position = /at position (\d+)/.exec(String(error))?.[1];
    const line = text.slice(0, Number(position ?? text.length)).split('\n').length;
    fail(`must be a file in JSON: there is an error in line ${line}`);
  }
  return {};
}

function parseSource(name: string, value: unknown, fail: Fail): Source | undefined {
  let valid = true;
  const failAt = (member: string, problem: string): undefined => {
    valid = false;
    fail(`has in source ${JSON.stringify(name)} an invalid ${member}: ${problem}`);
  };
  if (!/^[a-z0-9][a-z0-9-]{0,62}$/.test(name)) failAt('name', 'it must be 1 to 63 of a-z 0-9 -');
  const { verify, secrets, topic, allow, data, ...others } = Object(value) as Record<string, unknown>;
  for (const member of Object.keys(others)) failAt(JSON.stringify(member), `members are ${MEMBERS.join(', ')}`);
  const kind = typeof verify === 'string' && Object.hasOwn(VERIFIERS, verify) ? VERIFIERS[verify] : undefined;
  if (!kind) failAt('verify', `it must be one of ${Object.keys(VERIFIERS).join(', ')}`);
  const texts = asTexts(secrets);
  if (kind && !(texts.length > 0 && texts.every(kind.isSecret))) {
    failAt('secrets', `it must be a list of secrets, each ${kind.secretRule}`);
  } else if (new Set(texts).size < texts.length) failAt('secrets', 'it must not have the same secret twice');
  const template = parseTopicTemplate(topic);
  if (!template)
    failAt(
      'topic',
      'it must be a topic, in which names in braces stand for members of the event, as repo/{repository.full_name}',
    );
  if (template?.prefix === '' && allow === undefined) {
    failAt('allow', 'it is required if the topic begins with a placeholder, since the sender could publish any topic');
  }
  const patterns = asTexts(allow);
  const mayPublish = allow === undefined ? () => true : patterns.length > 0 ? parseTopicPatterns(patterns) : undefined;
  if (!mayPublish) failAt('allow', 'it must be a list of topics, or of prefixes followed by *');
  const isPath = typeof data === 'string' && data.split('.').every((member) => member !== '');
  if (data !== undefined && data !== true && !isPath) {
    failAt('data', 'it must be true for the whole event, or the name of a member of it, as repository.owner');
  }
  if (!valid || !kind || !template || !mayPublish) return undefined;
  const path = data === undefined ? undefined : isPath ? data.split('.') : [];
  return { name, verify: String(verify), verifier: kind.create(texts), topic: template, mayPublish, data: path };
}

/** Returns a list of texts; empty for anything else. */
function asTexts(value: unknown): readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string') ? value : [];
}
