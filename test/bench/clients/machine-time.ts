/** Returns the monotonic clock that all processes of a machine share, in milliseconds. */
export function machineNowMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
