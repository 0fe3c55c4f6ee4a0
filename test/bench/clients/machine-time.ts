/** Milliseconds of the clock that all processes of a machine share, and that never steps. */
export function machineNowMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
