/** The result of one check: a line of `heliograph doctor`. */
export interface Check {
  readonly status: 'ok' | 'warn' | 'fail';
  /** What was checked, such as `redis`. */
  readonly name: string;
  readonly text: string;
}
