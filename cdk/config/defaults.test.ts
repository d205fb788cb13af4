import { readFileSync } from 'node:fs';
import { withDefaults } from './defaults.js';
import { schemaFile } from './schema-file.js';

const schema = JSON.parse(readFileSync(schemaFile, 'utf8'));
const valid = JSON.parse(readFileSync(new URL('./fixtures/valid.json', import.meta.url), 'utf8'));

/** Every default that the schema documents for a type, by name of the setting. */
function documented(type: string): Record<string, unknown> {
  const properties: Record<string, { default?: unknown }> = schema.definitions[type].properties;
  return Object.fromEntries(
    Object.entries(properties).flatMap(([name, { default: value }]) => (value === undefined ? [] : [[name, value]])),
  );
}

const importedNetwork = { kind: 'import', vpcId: 'vpc-01234567', cidr: '10.0.0.0/16', subnets: [] };

describe('the defaults that are documented are those that are put in place', () => {
  const resolved: any = withDefaults(valid);
  const of = (change: object): any => withDefaults({ ...valid, ...change });
  it.each<[string, any]>([
    ['DataNodeConfiguration', resolved.dataNodes],
    ['ControlPlaneConfiguration', resolved.controlPlane],
    ['KeysConfiguration', resolved.keys],
    ['TokenConfiguration', resolved.tokens],
    ['RetentionConfiguration', resolved.retention],
    ['AlarmConfiguration', of({ alarms: {} }).alarms],
    ['EmergencyConfiguration', resolved.emergency],
    ['ComplianceConfiguration', resolved.compliance],
    ['FargateCompute', resolved.compute],
    ['Ec2Compute', of({ compute: { kind: 'ecs-ec2' } }).compute],
    ['EksCompute', of({ compute: { kind: 'eks' } }).compute],
    ['CreatedNetwork', resolved.network],
    ['ImportedNetwork', of({ network: importedNetwork }).network],
    ['PrivateExposure', resolved.exposure],
    ['PublicExposure', of({ exposure: { kind: 'public' } }).exposure],
    ['PrivateLinkExposure', of({ exposure: { kind: 'privatelink', allowedPrincipalArns: [] } }).exposure],
  ])('%s', (type, actual) => {
    const defaults = documented(type);
    expect(Object.keys(defaults).length).toBeGreaterThan(0);
    expect(actual).toMatchObject(defaults);
  });

  it('DeploymentConfiguration', () => {
    for (const [name, value] of Object.entries(documented('DeploymentConfiguration'))) {
      if (typeof value === 'object') expect(resolved[name]).toMatchObject(name === 'alarms' ? {} : (value as object));
      else expect(resolved[name]).toBe(value);
    }
  });

  it('leave nothing out', () => {
    const optional = Object.entries<any>(schema.definitions).flatMap(([type, { properties = {}, required = [] }]) =>
      Object.entries<any>(properties)
        .filter(([name, property]) => !required.includes(name) && property.default === undefined)
        .map(([name]) => `${type}.${name}`),
    );
    expect(optional).toEqual([]);
  });
});
