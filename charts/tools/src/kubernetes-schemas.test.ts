import { Ajv } from 'ajv';
import { apiSchemas, customSchemas, schemaFileName } from './kubernetes-schemas.js';

const swagger = {
  definitions: {
    'v1.Thing': {
      type: 'object',
      required: ['spec'],
      'x-kubernetes-group-version-kind': [{ group: 'apps', version: 'v1', kind: 'Thing' }],
      properties: { kind: { type: 'string' }, spec: { $ref: '#/definitions/v1.ThingSpec' } },
    },
    'v1.ThingSpec': {
      type: 'object',
      properties: {
        port: { $ref: '#/definitions/io.k8s.apimachinery.pkg.util.intstr.IntOrString' },
        count: { type: 'integer', format: 'int32' },
        labels: { type: 'object', additionalProperties: { type: 'string' } },
        parts: { type: 'array', items: { $ref: '#/definitions/v1.ThingSpec' } },
      },
    },
    'io.k8s.apimachinery.pkg.util.intstr.IntOrString': { type: 'string', format: 'int-or-string' },
    'v1.DeleteOptions': {
      'x-kubernetes-group-version-kind': [
        { group: '', version: 'v1', kind: 'DeleteOptions' },
        { group: 'apps', version: 'v1', kind: 'DeleteOptions' },
      ],
    },
  },
};

/** Whether the schema takes the value. */
const takes = (schema: object | undefined, value: unknown): boolean =>
  new Ajv({ strict: false }).validate(schema ?? {}, value);

describe('schemas of the Kubernetes API', () => {
  it('have the names under which the validator looks for them', () => {
    expect(schemaFileName({ group: '', version: 'v1', kind: 'Service' })).toBe('service-v1-v1.json');
    expect([...apiSchemas(swagger).keys()]).toEqual(['thing-apps-v1.json']);
  });

  it.each([
    ['a number for a port', { port: 80 }, true],
    ['a name for a port', { port: 'http' }, true],
    ['labels', { labels: { any: 'thing' } }, true],
    ['a thing in a thing', { parts: [{ port: 80 }] }, true],
    ['an unknown field', { prot: 80 }, false],
    ['an unknown field deep inside', { parts: [{ prot: 80 }] }, false],
    ['a wrong type', { count: '1' }, false],
    ['a label that is no string', { labels: { any: 1 } }, false],
  ])('judge %s', (_what, spec, isRight) => {
    expect(takes(apiSchemas(swagger).get('thing-apps-v1.json'), { kind: 'Thing', spec })).toBe(isRight);
  });

  it('say what is missing', () => {
    expect(takes(apiSchemas(swagger).get('thing-apps-v1.json'), { kind: 'Thing' })).toBe(false);
  });
});

describe('schemas of custom resources', () => {
  const schema = customSchemas({
    kind: 'CustomResourceDefinition',
    spec: {
      group: 'example.com',
      names: { kind: 'Route' },
      versions: [
        {
          name: 'v1',
          schema: {
            openAPIV3Schema: {
              type: 'object',
              properties: {
                metadata: { type: 'object' },
                open: { type: 'object', properties: {}, 'x-kubernetes-preserve-unknown-fields': true },
                port: { anyOf: [{ type: 'integer' }, { type: 'string' }], 'x-kubernetes-int-or-string': true },
              },
            },
          },
        },
      ],
    },
  }).get('route-example.com-v1.json');

  it.each([
    ['metadata', { metadata: { name: 'a' } }, true],
    ['what may be anything', { open: { a: 1 } }, true],
    ['a number or a name', { port: 'http' }, true],
    ['an unknown field', { prot: 1 }, false],
  ])('judge %s', (_what, value, isRight) => expect(takes(schema, value)).toBe(isRight));
});
