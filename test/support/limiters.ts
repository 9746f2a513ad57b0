// How registries limit requests: each answers, for a request at a time in ms, whether it lets it through.

export type Limiter = (now: number) => boolean;

/** `perSecond` tokens a second, at most `burst` of them saved. */
export function tokenBucket(perSecond: number, burst: number): Limiter {
  let tokens = burst;
  let at: number | undefined;
  return (now) => {
    tokens = Math.min(burst, tokens + ((now - (at ?? now)) * perSecond) / 1000);
    at = now;
    if (tokens < 1) return false;
    tokens--;
    return true;
  };
}

/** So many in each window of the clock. */
export function fixedWindow(limit: number, windowMs = 1000): Limiter {
  let window = -1;
  let count = 0;
  return (now) => {
    const current = Math.floor(now / windowMs);
    if (current !== window) count = 0;
    window = current;
    return ++count <= limit;
  };
}

/** So many in whatever second. */
export function slidingWindow(limit: number): Limiter {
  const passed: number[] = [];
  return (now) => {
    while (passed[0] !== undefined && passed[0] <= now - 1000) passed.shift();
    if (passed.length >= limit) return false;
    passed.push(now);
    return true;
  };
}
