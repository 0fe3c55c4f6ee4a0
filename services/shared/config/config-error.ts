/** What is wrong with one environment variable. Holds no value: it may be a secret. */
export interface ConfigProblem {
  readonly name: string;
  readonly problem: string;
}

/** Every problem of the environment at once; its message is a list to be read by people. */
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
