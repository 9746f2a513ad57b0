interface Asked<A, R> {
  readonly what: A;
  readonly answer: PromiseWithResolvers<R>;
}

/**
 * Makes one call of those that come in one turn of the event loop: `ask` gets up to `most` of them, and answers in their order. Each
 * caller gets the answer that is his; where `ask` rejects, all of them get that.
 */
export function gathered<A, R>(
  most: number,
  ask: (all: readonly A[]) => Promise<readonly R[]>,
): (what: A) => Promise<R> {
  let waiting: Asked<A, R>[] = [];
  const send = async (some: readonly Asked<A, R>[]): Promise<void> => {
    try {
      const answers = await ask(some.map(({ what }) => what));
      for (const [i, { answer }] of some.entries()) answer.resolve(answers[i] as R);
    } catch (error) {
      for (const { answer } of some) answer.reject(error);
    }
  };
  const sendAll = (): void => {
    const all = waiting;
    waiting = [];
    for (let i = 0; i < all.length; i += most) void send(all.slice(i, i + most));
  };
  return (what) => {
    const answer = Promise.withResolvers<R>();
    waiting.push({ what, answer });
    if (waiting.length === 1) setImmediate(sendAll);
    return answer.promise;
  };
}
