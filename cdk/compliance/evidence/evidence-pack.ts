import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { IntrinsicFunctions } from '../assembly/intrinsic-functions.js';
import type { SynthesizedApp } from '../assembly/synthesized-app.js';
import { policyInventoryOf } from '../iam/policy-inventory.js';
import { controlMatrixSection } from './control-matrix.js';
import { asCsv } from './csv.js';
import { dataResidency } from './data-residency.js';
import type { EvidenceSection } from './evidence-section.js';
import { asHtml } from './html.js';
import { iamInventory } from './iam-inventory.js';
import { keyMap } from './key-map.js';
import { logMap } from './log-map.js';
import { nagReport, type NagResults } from './nag-report.js';
import { networkReachability } from './network-reachability.js';
import { billOfMaterialsSection, type BillOfMaterials } from './sbom.js';

export interface EvidenceOptions {
  readonly deployment: string;
  readonly madeAt: Date;
  readonly bills: readonly BillOfMaterials[];
  readonly nag: NagResults;
  /** What was read from the running deployment; none when there were no credentials. */
  readonly running?: EvidenceSection;
}

/** Everything an auditor asks for, computed from the templates; nothing in it is written by hand except the control matrix. */
export function evidenceSections(app: SynthesizedApp, options: EvidenceOptions): readonly EvidenceSection[] {
  const functions = new IntrinsicFunctions(app);
  const inventory = policyInventoryOf(app, functions);
  return [
    controlMatrixSection(app),
    iamInventory(inventory),
    networkReachability(app, functions),
    dataResidency(app, functions),
    keyMap(app, functions, inventory),
    logMap(app, functions),
    nagReport(options.nag),
    billOfMaterialsSection(options.bills),
    ...(options.running ? [options.running] : []),
  ];
}

/** Writes `index.html`, and each section as CSV and JSON. Gives the names of the files. */
export function writeEvidence(app: SynthesizedApp, options: EvidenceOptions, directory: string): readonly string[] {
  mkdirSync(directory, { recursive: true });
  const sections = evidenceSections(app, options);
  const files: [string, string][] = [
    ['index.html', asHtml({ title: `Evidence: ${options.deployment}`, facts: factsOf(app, options), sections })],
    ['evidence.json', JSON.stringify({ facts: Object.fromEntries(factsOf(app, options)), sections }, null, 2) + '\n'],
    ...sections.map((section): [string, string] => [`${section.id}.csv`, asCsv(section)]),
    ...options.bills.map(({ workspace, document }): [string, string] => [
      `sbom-${workspace}.cdx.json`,
      JSON.stringify(document, null, 2) + '\n',
    ]),
  ];
  for (const [name, content] of files) writeFileSync(join(directory, name), content);
  return files.map(([name]) => name);
}

function factsOf(
  app: SynthesizedApp,
  { deployment, madeAt, running }: EvidenceOptions,
): readonly (readonly [string, string])[] {
  return [
    ['Deployment', deployment],
    ['Made', madeAt.toISOString()],
    ['From', running ? 'the synthesized templates and the running deployment' : 'the synthesized templates'],
    ...app.stacks.map((stack): readonly [string, string] => [
      `Template of ${stack.name}`,
      `sha256 ${createHash('sha256').update(readFileSync(stack.templateFile)).digest('hex')}`,
    ]),
  ];
}
