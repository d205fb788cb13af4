/** What the simulator's silence is worth: it must notice the product being broken, in each of these ways. */
import { mutations } from './mutations.js';
import { runMutation } from './run-mutation.js';

/** Runs until each must have been noticed. */
const budget = 200;

describe('the simulator notices that', () => {
  it.each(mutations.map((mutation) => [mutation.name, mutation] as const))(
    '%s',
    async (_, mutation) => {
      const { caught } = await runMutation(mutation, 1, budget);
      expect(caught).toBeDefined();
    },
    600_000,
  );
});
