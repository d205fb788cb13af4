import { measures, type Measure, type MeasureName } from './measures.js';
import { resourcesOf, type SynthesizedApp } from '../assembly/synthesized-app.js';
import { evidenceSection, type EvidenceSection } from './evidence-section.js';

/** One requirement of a framework, in words of our own, and the measures that meet the technical part of it. */
export interface Control {
  readonly framework: 'SOC 2' | 'ISO 27001:2022' | 'HIPAA' | 'PCI DSS 4.0' | 'NIST 800-53 r5';
  readonly id: string;
  readonly asks: string;
  readonly measures: readonly MeasureName[];
}

function controls(
  framework: Control['framework'],
  ...lines: readonly (readonly [id: string, asks: string, ...measures: MeasureName[]])[]
): readonly Control[] {
  return lines.map(([id, asks, ...names]) => ({ framework, id, asks, measures: names }));
}

/** Only what the software and its deployment carry out. What people have to do (training, contracts, reviews) is not in here. */
export const controlMatrix: readonly Control[] = [
  ...controls(
    'SOC 2',
    ['CC6.1', 'logical access to data is restricted', 'leastPrivilege', 'authentication', 'boundary', 'sealing'],
    ['CC6.3', 'access follows roles and least privilege', 'leastPrivilege', 'keySeparation'],
    ['CC6.6', 'threats from outside the boundary are kept out', 'privateNetwork', 'noForeigners'],
    ['CC6.7', 'data is protected while it is moved', 'encryptionInTransit', 'encryptionAtRest'],
    ['CC6.8', 'unauthorised software is prevented', 'pinnedImages', 'inventoryOfParts'],
    ['CC7.1', 'changes of configuration that open holes are found', 'changeReview'],
    ['CC7.2', 'anomalies are watched for', 'alarms', 'auditTrail', 'networkLogs'],
    ['CC8.1', 'changes are tested and approved', 'changeReview'],
    ['A1.2', 'data is backed up and the environment recovers', 'durability', 'restore'],
    ['C1.1', 'confidential data is identified and protected', 'sealing', 'encryptionAtRest'],
  ),
  ...controls(
    'ISO 27001:2022',
    ['A.5.15', 'access control', 'leastPrivilege', 'authentication'],
    ['A.8.2', 'privileged access is restricted', 'boundary', 'keySeparation'],
    ['A.8.3', 'access to information is restricted', 'leastPrivilege', 'noForeigners'],
    ['A.8.9', 'configurations are managed', 'changeReview'],
    ['A.8.13', 'information is backed up', 'durability', 'restore'],
    ['A.8.15', 'logs are produced, kept and protected', 'auditTrail', 'logRetention'],
    ['A.8.16', 'networks and systems are monitored', 'alarms', 'networkLogs'],
    ['A.8.20', 'networks are secured', 'privateNetwork'],
    ['A.8.24', 'cryptography is used by rule', 'sealing', 'encryptionAtRest', 'keyRotation', 'revocation'],
    ['A.8.28', 'secure coding and known parts', 'inventoryOfParts'],
  ),
  ...controls(
    'HIPAA',
    ['164.312(a)(1)', 'access control', 'leastPrivilege', 'authentication'],
    ['164.312(a)(2)(iv)', 'encryption and decryption', 'sealing', 'encryptionAtRest', 'revocation'],
    ['164.312(b)', 'audit controls', 'auditTrail', 'logRetention'],
    ['164.312(c)(1)', 'integrity', 'integrity', 'sealing'],
    ['164.312(d)', 'authentication of persons and entities', 'authentication'],
    ['164.312(e)(1)', 'transmission security', 'encryptionInTransit', 'privateNetwork'],
    ['164.308(a)(7)', 'contingency: backup and recovery', 'durability', 'restore', 'retained'],
  ),
  ...controls(
    'PCI DSS 4.0',
    ['1.3', 'network access to the environment is restricted', 'privateNetwork'],
    ['2.2', 'components are configured securely', 'pinnedImages', 'changeReview'],
    ['3.5', 'stored data is unreadable', 'sealing', 'encryptionAtRest'],
    ['3.6', 'keys are secured', 'keySeparation', 'leastPrivilege'],
    ['3.7', 'the life of keys is managed', 'keyRotation', 'revocation', 'retained'],
    ['4.2', 'transmission is encrypted', 'encryptionInTransit'],
    ['6.3', 'parts and their weaknesses are known', 'inventoryOfParts'],
    ['7.2', 'access is granted by need', 'leastPrivilege', 'boundary'],
    ['8.3', 'users are authenticated', 'authentication'],
    ['10.2', 'audit logs are written', 'auditTrail'],
    ['10.3', 'audit logs are protected from change', 'auditTrail'],
    ['10.5', 'audit logs are kept', 'logRetention', 'auditTrail'],
  ),
  ...controls(
    'NIST 800-53 r5',
    ['AC-3', 'access enforcement', 'leastPrivilege', 'authentication'],
    ['AC-6', 'least privilege', 'leastPrivilege', 'boundary'],
    ['AU-2', 'events are logged', 'auditTrail', 'logRetention'],
    ['AU-9', 'audit information is protected', 'auditTrail'],
    ['AU-11', 'audit records are retained', 'logRetention', 'auditTrail'],
    ['CM-3', 'changes of configuration are controlled', 'changeReview'],
    ['CM-8', 'components are inventoried', 'inventoryOfParts'],
    ['CP-9', 'system backup', 'durability', 'restore'],
    ['CP-10', 'recovery and reconstitution', 'durability', 'restore', 'integrity'],
    ['SC-7', 'boundary protection', 'privateNetwork', 'noForeigners'],
    ['SC-8', 'transmission confidentiality', 'encryptionInTransit'],
    ['SC-12', 'keys are established and managed', 'keySeparation', 'keyRotation', 'revocation'],
    ['SC-13', 'cryptographic protection', 'sealing'],
    ['SC-28', 'information at rest is protected', 'encryptionAtRest', 'sealing'],
    ['SI-4', 'the system is monitored', 'alarms', 'networkLogs'],
    ['SI-7', 'integrity of software and information', 'integrity', 'pinnedImages'],
  ),
];

/** Every control with each measure that meets it, and the resources of this app that carry the measure out. */
export function controlMatrixSection(app: SynthesizedApp): EvidenceSection {
  const rows = controlMatrix.flatMap(({ framework, id, asks, measures: names }) =>
    names.map((name) => {
      const { does, resources, tests }: Measure = measures[name];
      const carried = resourcesOf(app, ...resources).filter(() => resources.length > 0);
      return {
        missing: resources.filter((type) => resourcesOf(app, type).length === 0),
        cells: [
          framework,
          id,
          asks,
          does,
          resources.length === 0
            ? 'by the processes themselves'
            : carried.map(({ stack, logicalId }) => `${stack.name}/${logicalId}`).join(', '),
          tests.map(({ file, name: test }) => `${file}: ${test}`).join(', '),
        ],
      };
    }),
  );
  const missing = [...new Set(rows.flatMap((row) => row.missing))];
  return evidenceSection({
    id: 'control-matrix',
    title: 'Control matrix',
    statement: [
      'What the software and its deployment carry out of five frameworks, with the resources that do it and the tests that fail when they do not. It is no certificate: what people have to do is not in it, and an auditor judges.',
      missing.length === 0
        ? 'Every resource type that a measure names is in this deployment.'
        : `This configuration has none of these, so that somebody else has to see to what they do: ${missing.join(', ')}.`,
    ],
    columns: ['Framework', 'Control', 'Asks that', 'Measure', 'Resources', 'Tests'],
    rows: rows.map(({ cells }) => cells),
  });
}
