/** Entry of the load generator: a process of its own, so that it has a core of its own and its cost can be seen. */
import type { FromLoadProcess, ToLoadProcess } from './load-plan.js';
import { runLoad } from './run-load.js';

const send = (message: FromLoadProcess): void => void process.send?.(message);

process.on('message', ({ plan }: ToLoadProcess) => {
  runLoad(plan, { onMeasuring: () => send({ type: 'measuring' }), onMeasured: () => send({ type: 'measured' }) }).then(
    (result) => send({ type: 'done', result }),
    (error: unknown) => send({ type: 'broken', message: error instanceof Error ? error.message : String(error) }),
  );
});
process.once('disconnect', () => process.exit(0));
