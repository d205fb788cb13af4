/**
 * Nobody leaves a finding of a rule pack open, and nobody acknowledges more than before without it being seen: the number for each rule
 * and example is written down in acknowledgements.json, and has to be changed with the code.
 */
import { readFileSync } from 'node:fs';
import { nagPacks, unacknowledgedFindings } from '../../compliance/nag-packs.js';
import {
  recordedAcknowledgements,
  type RecordedAcknowledgement,
} from '../../compliance/nag/recorded-acknowledgements.js';
import { validateConfiguration } from '../../config/validate-configuration.js';
import { synthesizeApp } from '../../stacks/synthesize.js';
import { examples } from '../support/synthesized-example.js';

type Counts = Readonly<Record<string, number>>;
const written = JSON.parse(readFileSync(new URL('acknowledgements.json', import.meta.url), 'utf8')) as Readonly<
  Record<string, Counts>
>;

/** By rule, whatever the single finding is. */
function countsOf(acknowledgements: readonly RecordedAcknowledgement[]): Counts {
  const counts = new Map<string, number>();
  for (const { rule } of acknowledgements) {
    const family = rule.replace(/\[.*/s, '');
    counts.set(family, (counts.get(family) ?? 0) + 1);
  }
  return Object.fromEntries([...counts].sort(([a], [b]) => (a < b ? -1 : 1)));
}

describe.each(Object.keys(examples))('findings of the rule packs in the example %s', (name) => {
  const configuration = validateConfiguration(examples[name]);
  const { app, stacks } = synthesizeApp(configuration);
  const findings = unacknowledgedFindings(app, stacks, configuration);
  const acknowledgements = recordedAcknowledgements(app);

  it('are looked for by the public packs and the own one', () => {
    expect(nagPacks(app, configuration).map((pack) => pack.name)).toEqual(
      expect.arrayContaining(['AwsSolutions', 'NIST.800.53.R5', 'HIPAA.Security', 'PCI.DSS.321', 'TursoByoc']),
    );
  });

  it('are all acknowledged', () => {
    expect(findings.map(({ id, path }) => `${id} at ${path}`)).toEqual([]);
  });

  it('are acknowledged with a reason that says something', () => {
    expect(acknowledgements.filter(({ reason }) => reason.trim().length < 20)).toEqual([]);
  });

  it('are acknowledged as often as is written down: no more, and no fewer without lowering it', () => {
    expect(countsOf(acknowledgements)).toEqual(written[name]);
  });
});
