import { defaultDispatcherLimits, Dispatcher, type Ticket } from './dispatcher.js';

interface Harness {
  readonly dispatcher: Dispatcher<string>;
  /** Items in the order they reached the engine. */
  readonly sent: string[];
  readonly tickets: Map<string, Ticket<string>>;
  readonly submit: (database: number, ...items: string[]) => void;
  readonly finish: (item: string) => void;
}

function harness(limits: { window: number; databaseWindow: number; maxOutstandingPerDatabase?: number }): Harness {
  const sent: string[] = [];
  const tickets = new Map<string, Ticket<string>>();
  const dispatcher = new Dispatcher<string>({ ...defaultDispatcherLimits, ...limits }, (ticket) =>
    sent.push(ticket.item),
  );
  return {
    dispatcher,
    sent,
    tickets,
    submit: (database, ...items) => {
      for (const item of items) tickets.set(item, dispatcher.submit(database, item));
    },
    finish: (item) => dispatcher.finish(tickets.get(item)!),
  };
}

describe('Dispatcher', () => {
  it('sends at once while there is room', () => {
    const { submit, sent, dispatcher } = harness({ window: 4, databaseWindow: 2 });
    submit(1, 'a1', 'a2');
    submit(2, 'b1');
    expect(sent).toEqual(['a1', 'a2', 'b1']);
    expect(dispatcher.isBlocked).toBe(false);
  });

  it('holds a noisy database to its window and lets others pass', () => {
    const { submit, sent, finish, dispatcher } = harness({ window: 4, databaseWindow: 2 });
    submit(1, 'a1', 'a2', 'a3', 'a4', 'a5');
    submit(2, 'b1');
    expect(sent).toEqual(['a1', 'a2', 'b1']);
    expect(dispatcher.isBlocked).toBe(true);
    finish('a1');
    expect(sent).toEqual(['a1', 'a2', 'b1', 'a3']);
  });

  it('gives turns in a circle and keeps the order within a database', () => {
    const { submit, sent, finish } = harness({ window: 1, databaseWindow: 1 });
    submit(1, 'a1', 'a2', 'a3');
    submit(2, 'b1', 'b2');
    submit(3, 'c1');
    for (let next = 0; next < 6; next += 1) finish(sent[next]!);
    expect(sent).toEqual(['a1', 'b1', 'c1', 'a2', 'b2', 'a3']);
  });

  it('refuses what exceeds the bound of a database and takes it again later', () => {
    const { submit, finish, sent } = harness({ window: 1, databaseWindow: 1, maxOutstandingPerDatabase: 3 });
    submit(1, 'a1', 'a2', 'a3');
    expect(() => submit(1, 'a4')).toThrow('wait for an answer');
    submit(2, 'b1');
    finish('a1');
    submit(1, 'a4');
    expect(sent).toEqual(['a1', 'b1']);
  });

  it('withdraws a queued request and not a sent one', () => {
    const { submit, finish, sent, tickets, dispatcher } = harness({ window: 1, databaseWindow: 1 });
    submit(1, 'a1', 'a2', 'a3');
    expect(dispatcher.withdraw(tickets.get('a1')!)).toBe(false);
    expect(dispatcher.withdraw(tickets.get('a2')!)).toBe(true);
    expect(dispatcher.withdraw(tickets.get('a2')!)).toBe(false);
    finish('a1');
    expect(sent).toEqual(['a1', 'a3']);
  });

  it('ignores a second end of the same request', () => {
    const { submit, finish, sent } = harness({ window: 1, databaseWindow: 1 });
    submit(1, 'a1', 'a2', 'a3');
    finish('a1');
    finish('a1');
    expect(sent).toEqual(['a1', 'a2']);
  });

  describe('requests that wait inside the engine', () => {
    it('stop counting when a later one is answered', () => {
      const { submit, sent, finish } = harness({ window: 3, databaseWindow: 2 });
      submit(1, 'waits', 'a2', 'a3', 'a4');
      finish('a2');
      // `waits` was sent before `a2` and has no answer: it waits, so two places are free.
      expect(sent).toEqual(['waits', 'a2', 'a3', 'a4']);
    });

    it('stop counting when a later one of another database executes', () => {
      const { submit, sent, dispatcher, tickets } = harness({ window: 8, databaseWindow: 2 });
      submit(1, 'waits1', 'waits2', 'commit');
      submit(2, 'long');
      dispatcher.observe(tickets.get('long'));
      expect(sent).toEqual(['waits1', 'waits2', 'long', 'commit']);
    });

    it('cannot lock out the COMMIT they wait for', () => {
      const { submit, sent, dispatcher } = harness({ window: 8, databaseWindow: 2 });
      submit(1, 'write1', 'write2', 'commit');
      expect(sent).not.toContain('commit');
      dispatcher.observe(undefined);
      // They may have been on their way at the first look.
      expect(sent).not.toContain('commit');
      dispatcher.observe(undefined);
      expect(sent).toContain('commit');
    });

    it('cannot lock out other databases by filling the window of the engine', () => {
      const { submit, sent, dispatcher } = harness({ window: 4, databaseWindow: 2 });
      submit(1, 'a1', 'a2', 'a3');
      submit(2, 'b1', 'b2', 'b3');
      submit(3, 'c1');
      expect(sent).toEqual(['a1', 'a2', 'b1', 'b2']);
      dispatcher.observe(undefined);
      dispatcher.observe(undefined);
      expect(sent.slice(4).sort()).toEqual(['a3', 'b3', 'c1']);
    });

    it('always let every request through in the end, whatever waits', () => {
      const { submit, sent, dispatcher } = harness({ window: 4, databaseWindow: 2 });
      for (let database = 1; database <= 10; database += 1) {
        for (let request = 0; request < 20; request += 1) submit(database, `${database}/${request}`);
      }
      let looks = 0;
      while (dispatcher.isBlocked) {
        dispatcher.observe(undefined);
        looks += 1;
      }
      expect(sent).toHaveLength(200);
      expect(looks).toBeLessThanOrEqual(200);
    });

    it('do not count while a streamed answer goes at the pace of its client', () => {
      const { submit, sent, dispatcher, tickets } = harness({ window: 1, databaseWindow: 1 });
      submit(1, 'cursor', 'a2');
      dispatcher.answeredInPart(tickets.get('cursor')!);
      dispatcher.answeredInPart(tickets.get('cursor')!);
      expect(sent).toEqual(['cursor', 'a2']);
    });
  });

  it('keeps its counts right over many random steps', () => {
    // A small generator with a fixed seed, so that a failure repeats.
    let state = 12345;
    const random = (bound: number): number => {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0;
      return (state >>> 8) % bound;
    };
    const inEngine: Ticket<string>[] = [];
    const known: Ticket<string>[] = [];
    const dispatcher = new Dispatcher<string>(
      { window: 5, databaseWindow: 2, maxOutstandingPerDatabase: 20_000 },
      (ticket) => inEngine.push(ticket),
    );
    let submitted = 0;
    let withdrawn = 0;
    for (let step = 0; step < 20_000; step += 1) {
      const choice = random(10);
      if (choice < 4 && submitted - withdrawn - inEngine.length < 40) {
        known.push(dispatcher.submit(1 + random(6), String(submitted)));
        submitted += 1;
      } else if (choice < 5 && known.length > 0) {
        if (dispatcher.withdraw(known[random(known.length)]!)) withdrawn += 1;
      } else if (choice < 6) {
        dispatcher.observe(inEngine.length > 0 && random(2) === 0 ? inEngine[random(inEngine.length)] : undefined);
      } else if (inEngine.length > 0) {
        dispatcher.finish(inEngine[random(inEngine.length)]!);
      }
    }
    while (dispatcher.isBlocked) dispatcher.observe(undefined);
    expect(inEngine).toHaveLength(submitted - withdrawn);
    expect(new Set(inEngine).size).toBe(inEngine.length);
  });
});
