import { getPriority, setPriority } from 'node:os';

const FIRST = -15;

/**
 * Lets this process, and the threads that it starts from now on, run before others, where it may: for a test of when
 * something happens, on a machine that does other things too. Returns what ends it.
 */
export function goFirst(): () => void {
  const before = getPriority();
  try {
    setPriority(FIRST);
  } catch {
    return () => {}; // only root may
  }
  return () => setPriority(before);
}
