/** What CloudWatch makes of what servers say of themselves, by the alarms of a deployment's templates. */
import { removeSynthesized, synthesizedExample } from '../../../cdk/test/support/synthesized-example.js';
import { DeployedAlarms, stateOf, valueOf } from '../../../cdk/test/alarms/deployed-alarms.js';
import type { AlarmRule } from '../../src/metering/alarms/alarm.js';
import { isOfSignal, signalsOf, type Signal } from '../../src/metering/alarms/signals.js';
import type { Samples } from './samples.js';

const { app, configuration } = synthesizedExample('dev');
const deployed = new DeployedAlarms(app);
removeSynthesized();

/**
 * The alarm is quiet while the server is as it was `before`, and goes off while each minute is as that between `before` and `after`.
 * Throws when it does not. An alarm over what AWS itself measures is none of these.
 */
export function assertFiresInCloudWatch(rule: AlarmRule, before: Samples, after: Samples): void {
  const signals = signalsOf([rule]);
  if (signals.length === 0) return;
  const [alarm, ...more] = deployed.named(rule.name);
  if (!alarm || more.length > 0) throw new Error(`${rule.name} is not one alarm of the templates`);
  const minutes = alarm.periodSeconds / 60;
  const period = (valuesOf: (signal: Signal) => number): number =>
    valueOf(
      alarm,
      new Map(
        signals.map((signal) => [
          `TursoByoc/${configuration.name}/${signal.name} ${signal.isGauge ? 'Maximum' : 'Sum'}`,
          valuesOf(signal) * (signal.isGauge ? 1 : minutes),
        ]),
      ),
    );
  const quiet = period((signal) => (signal.isGauge ? seen(signal, before) : 0));
  const going = period((signal) => seen(signal, after) - (signal.isGauge ? 0 : seen(signal, before)));
  const states = [quiet, going].map((value) => stateOf(alarm, new Array<number>(alarm.periods).fill(value)));
  if (states.join() !== 'OK,ALARM') {
    throw new Error(`${rule.name} in CloudWatch: ${states.join(', then ')} at ${quiet} and ${going}`);
  }
}

/** What a signal stands at in one look. */
function seen(signal: Signal, samples: Samples): number {
  const fitting = [...samples].filter(([series]) => {
    const brace = series.indexOf('{');
    const labels = [...series.slice(brace).matchAll(/(\w+)="([^"]*)"/g)].map(([, label, value]) => [label, value]);
    return (
      series.slice(0, brace) === signal.metric &&
      isOfSignal(signal, Object.fromEntries(labels) as Record<string, string>)
    );
  });
  const numbers = fitting.map(([, value]) => value);
  return signal.isGauge ? Math.max(0, ...numbers) : numbers.reduce((sum, value) => sum + value, 0);
}
