// SIGINT, SIGTERM and SIGHUP for the programs that a person starts: the first asks, the second insists.

/** One Ctrl-C may arrive several times: from the terminal and, passed on, from npm. */
const SAME_MS = 500;

export interface Signals {
  /** Aborted by the first signal. */
  readonly stopped: AbortSignal;
  /** What to do at the second signal, before the process ends at once with code 130. */
  again(action: () => void): void;
}

/** From now on signals do not end the process by themselves. */
export function onSignals(): Signals {
  const stop = new AbortController();
  const actions: (() => void)[] = [];
  let first: number | undefined;
  const heard = (signal: NodeJS.Signals) => {
    const now = performance.now();
    if (first === undefined) {
      first = now;
      stop.abort(new Error(`${signal} received`));
    } else if (now - first > SAME_MS) {
      for (const action of actions) action();
      process.exit(130);
    }
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, heard);
  return { stopped: stop.signal, again: (action) => void actions.push(action) };
}
