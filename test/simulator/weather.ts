/** How well the network between processes and servers works at the moment. Probabilities are from 0 to 1. */
export interface Weather {
  /** How long a call or a signal takes one way at most, in milliseconds. */
  latencyMs: number;
  /** How much longer a signal may take, so that others overtake it, in milliseconds. */
  signalDelayMs: number;
  /** That a signal is lost. */
  signalLoss: number;
  /** That a signal comes twice. */
  signalRepeat: number;
  /** That a call fails though the server is well; half of those have taken effect. */
  callFailure: number;
}

/** Weather in which nothing fails. */
export function calmWeather(): Weather {
  return { latencyMs: 3, signalDelayMs: 0, signalLoss: 0, signalRepeat: 0, callFailure: 0 };
}
