import { readFileSync } from 'node:fs';

const README = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');

/** The first block of the README in this language that holds the words. */
export function readmeExample(language: string, words: string): string {
  const blocks = [...README.matchAll(/```(\w+)\n(.*?)```/gs)];
  const block = blocks.find(([, name, text]) => name === language && text?.includes(words));
  if (!block?.[2]) throw new Error(`the README has no ${language} example with ${words}`);
  return block[2];
}
