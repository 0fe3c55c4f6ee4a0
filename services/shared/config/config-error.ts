/** A problem of one environment variable. Never contains its value, which may be a secret. */
export interface ConfigProblem {
  readonly name: string;
  readonly problem: string;
}

/** All problems of the environment. The message lists them, one a line. */
export class ConfigError extends Error {
  readonly problems: readonly ConfigProblem[];

  constructor(problems: readonly ConfigProblem[]) {
    const count = problems.length === 1 ? '1 problem' : `${problems.length} problems`;
    const lines = problems.map(({ name, problem }) => `  ${name} ${problem}`);
    super([`${count} with the environment:`, ...lines].join('\n'));
    this.name = 'ConfigError';
    this.problems = problems;
  }
}
