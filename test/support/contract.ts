import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { expect } from 'vitest';

// biome-ignore lint/suspicious/noExplicitAny: a description is JSON of any form
export type Description = any;

/** A response as far as a description is about it. */
export interface WalkedResponse {
  readonly status: number;
  readonly contentType: string;
  readonly header: (name: string) => string | null;
  readonly body: string;
}

/** Returns a validator of a part of a description, by its JSON pointer. */
export function createSchemas(description: Description): (pointer: string) => ValidateFunction {
  const ajv = new Ajv2020({ strict: false, allErrors: true });
  ajv.addSchema(description, 'description');
  return (pointer) => ajv.compile({ $ref: `description#${pointer}` });
}

const escaped = (text: string) => encodeURIComponent(text.replaceAll('~', '~0').replaceAll('/', '~1'));

/** Compares the responses of a running service with its description in OpenAPI, and remembers what has been seen. */
export class ContractWalk {
  readonly description: Description;
  readonly #schemas: (pointer: string) => ValidateFunction;
  readonly #seen = new Set<string>();
  readonly codes = new Set<string>();

  constructor(description: Description) {
    this.description = description;
    this.#schemas = createSchemas(description);
  }

  /** Expects that the description has this response of this operation, and that the response is as described. */
  expectDescribed(path: string, method: string, response: WalkedResponse): void {
    const where = `${method} ${path} ${response.status}`;
    const described = this.description.paths[path]?.[method]?.responses[response.status];
    expect(described, where).toBeDefined();
    this.#seen.add(where);
    for (const [name, header] of Object.entries<Description>(described.headers ?? {})) {
      if (header.required) expect(response.header(name), `${where} ${name}`).not.toBeNull();
    }
    const type = response.contentType.split(';')[0] as string;
    if (described.content === undefined) {
      expect(response.body, where).toBe('');
      return;
    }
    expect(Object.keys(described.content), where).toContain(type);
    const isJson = type.endsWith('json');
    const body: unknown = isJson ? JSON.parse(response.body) : response.body;
    const pointer = ['paths', path, method, 'responses', String(response.status), 'content', type, 'schema'];
    const validate = this.#schemas(`/${pointer.map(escaped).join('/')}`);
    const isValid = validate(body);
    expect(isValid ? [] : validate.errors, `${where} ${response.body}`).toEqual([]);
    if (type === 'application/problem+json') this.codes.add((body as { code: string }).code);
  }

  /** Returns whether a value is valid by a part of the description. */
  isValid(pointer: string, value: unknown): boolean {
    return this.#schemas(pointer)(value) as boolean;
  }

  /** Returns the described responses that have not been seen, except those of these statuses. */
  unseen(exceptStatuses: readonly number[]): readonly string[] {
    const all = Object.entries<Description>(this.description.paths).flatMap(([path, { servers: _, ...operations }]) =>
      Object.entries<Description>(operations).flatMap(([method, { responses }]) =>
        Object.keys(responses)
          .filter((status) => !exceptStatuses.includes(Number(status)))
          .map((status) => `${method} ${path} ${status}`),
      ),
    );
    return all.filter((where) => !this.#seen.has(where));
  }
}

/** Returns a response of `fetch`, read completely. */
export async function readWalked(response: Response): Promise<WalkedResponse> {
  return {
    status: response.status,
    contentType: response.headers.get('content-type') ?? '',
    header: (name) => response.headers.get(name),
    body: await response.text(),
  };
}

/** Returns a response as it was received on a socket. */
export function parseWalked(text: string): WalkedResponse {
  const [head = '', body = ''] = text.split(/\r\n\r\n(.*)/s);
  const headers = new Headers(
    head
      .split('\r\n')
      .slice(1)
      .map((line) => line.split(/: (.*)/s).slice(0, 2) as [string, string]),
  );
  return {
    status: Number(head.split(' ')[1]),
    contentType: headers.get('content-type') ?? '',
    header: (name) => headers.get(name),
    body,
  };
}

/** Returns the text of a module and of all modules that it imports, directly or not, except descriptions and packages. */
export function sourcesFrom(module: URL): string {
  const seen = new Map<string, string>();
  const visit = (url: URL): void => {
    const path = fileURLToPath(url);
    if (seen.has(path)) return;
    const text = readFileSync(path, 'utf8');
    seen.set(path, text);
    for (const [, name = ''] of text.matchAll(/^(?:import|export)\b(?! type)[^;]*? from '(\.[^']+)'/gm))
      visit(new URL(name, url));
  };
  visit(module);
  return [...seen]
    .filter(([path]) => !/(?:openapi|asyncapi)\.ts$/.test(path))
    .map(([, text]) => text)
    .join('\n');
}
