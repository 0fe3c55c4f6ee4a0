/** The conditions of the network between processes and Redis servers. Probabilities are from 0 to 1. */
export interface NetworkConditions {
  /** The highest one-way latency of a call or a signal, in milliseconds. */
  latencyMs: number;
  /** The highest additional delay of a signal, in milliseconds; those that follow it on a connection wait too. */
  signalDelayMs: number;
  /** The probability that a signal is lost, and all that follow it on its connection. */
  signalLoss: number;
  /** The probability that a signal is duplicated. */
  signalRepeat: number;
  /** The probability that a call fails although the server works; half of those calls take effect. */
  callFailure: number;
}

/** Creates conditions without failures. */
export function goodConditions(): NetworkConditions {
  return { latencyMs: 3, signalDelayMs: 0, signalLoss: 0, signalRepeat: 0, callFailure: 0 };
}
