import { readPages } from './pages.ts';

/** Returns the first code block in this language that contains the words, on whichever page it is. */
export function readmeExample(language: string, words: string): string {
  const blocks = readPages().flatMap(({ text }) => [...text.matchAll(/```(\w+)\n(.*?)```/gs)]);
  const block = blocks.find(([, name, text]) => name === language && text?.includes(words));
  if (!block?.[2]) throw new Error(`no page has a ${language} example with ${words}`);
  return block[2];
}
