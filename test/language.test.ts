import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { readPages } from './support/pages.ts';

/**
 * Phrases that plain technical English has a better word for; services/README.md lists the terms to use. Add to the list
 * what a review finds.
 */
const BANNED: readonly RegExp[] = [
  /\b(told|untold|vouch\w*|owed|goodbyes?|anew|borne|whoever|census|inquir\w+)\b/i,
  /\b(somebody|nobody|everybody)\b/i,
  /\b(so many|of late|by and by|handed over|(send|sends|sent) away|moment has come|never steps)\b/i,
  /(?<!there )\b(is|are) none\b/i,
  /\b(of|in|from) 2009\b/i,
  /\bdialects?\b/i,
];

const ROOT = fileURLToPath(new URL('../', import.meta.url));
const CODE = /\.(ts|mjs|lua|yaml|yml|cfg|css|html)$|Dockerfile$/;

interface Text {
  /** File and line. */
  readonly place: string;
  readonly text: string;
}

/** Returns the files below a folder that people read. */
function filesIn(folder: string): readonly string[] {
  return readdirSync(`${ROOT}${folder}`, { recursive: true, encoding: 'utf8' })
    .map((path) => `${folder}/${path}`)
    .filter((path) => CODE.test(path) && path !== 'test/language.test.ts')
    .sort();
}

/** Finds every match of a pattern in the files of a folder; its first group that matched is the text. */
function textsIn(folder: string, pattern: RegExp, withoutComments = true): readonly Text[] {
  return filesIn(folder).flatMap((path) => {
    const text = readFileSync(`${ROOT}${path}`, 'utf8');
    const source = withoutComments ? text.replace(COMMENTS, (comment) => comment.replace(/[^\n]/g, ' ')) : text;
    return [...source.matchAll(pattern)].map((match) => {
      const line = source.slice(0, match.index).split('\n').length;
      return { place: `${path}:${line}`, text: match.slice(1).find((group) => group !== undefined) ?? match[0] };
    });
  });
}

function offendersOf(texts: readonly Text[]): readonly string[] {
  return texts.flatMap(({ place, text }) => {
    const plain = text
      .replace(/```[\s\S]*?```|`[^`]*`/g, '`…`') // names in code are contracts
      .replace(/\s*\n\s*(\*|\/\/|--|#)?\s*/g, ' ');
    const phrase = BANNED.map((banned) => banned.exec(plain)?.[0]).find((found) => found !== undefined);
    return phrase === undefined ? [] : [`${place}: "${phrase}" in ${plain.trim().slice(0, 120)}`];
  });
}

const COMMENTS = /\/\*[\s\S]*?\*\/|(?:(?<=^|\s)\/\/[^\n]*\n?[ \t]*)+|(?:(?<=^|[ \t])(?:--|#) [^\n]*\n?)+/gm;
/** Strings of several words: log messages, errors, help texts, texts of pages. */
const SENTENCES =
  /'((?:\\.|[^'\\\n])* (?:\\.|[^'\\\n])*)'|"((?:\\.|[^"\\\n])* (?:\\.|[^"\\\n])*)"|`((?:\\.|[^`\\])* (?:\\.|[^`\\])*)`/g;
const TEST_NAMES =
  /\b(?:it|describe|test)(?:\.\w+)?\(\s*(?:'((?:\\.|[^'\\])*)'|"((?:\\.|[^"\\])*)"|`((?:\\.|[^`\\])*)`)/g;

describe('the language of the project', () => {
  it('is plain in every comment', () => {
    const texts = ['services', 'test', 'deploy', 'k8s'].flatMap((folder) => textsIn(folder, COMMENTS, false));
    expect(texts.length).toBeGreaterThan(1000);
    expect(offendersOf(texts)).toEqual([]);
  });

  it('is plain in every log line, error, help text and page', () => {
    const texts = textsIn('services', SENTENCES);
    expect(texts.length).toBeGreaterThan(500);
    expect(offendersOf(texts)).toEqual([]);
  });

  it('is plain in every test name', () => {
    const texts = textsIn('test', TEST_NAMES);
    expect(texts.length).toBeGreaterThan(500);
    expect(offendersOf(texts)).toEqual([]);
  });

  it('is plain on every page', () => {
    const texts = readPages().flatMap(({ path, text }) =>
      text.split(/\n{2,}/).map((paragraph) => ({ place: path, text: paragraph })),
    );
    expect(texts.length).toBeGreaterThan(100);
    expect(offendersOf(texts)).toEqual([]);
  });

  it('rejects a banned phrase', () => {
    const texts = [{ place: 'x.ts:1', text: '/** Whoever is told\n * must not be sent\n * away. */' }];
    expect(offendersOf(texts)).toEqual(['x.ts:1: "Whoever" in /** Whoever is told must not be sent away. */']);
  });
});
