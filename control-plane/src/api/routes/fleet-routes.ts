import { randomUUID } from 'node:crypto';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { assertDatabaseAddress } from '@turso-byoc/data-plane/naming/host-label.js';
import { noteInAudit } from '../../audit/audited-call.js';
import { nextGeneration } from '../../catalog/access-rules.js';
import { databasesNamed, type DatabaseRecord } from '../../catalog/databases.js';
import type { GroupRecord } from '../../catalog/groups.js';
import {
  failuresOf,
  findOperation,
  insertOperation,
  operationsOfGroup,
  resumeOperation,
  stopOperation,
  type OperationRecord,
} from '../../catalog/operations.js';
import { countDatabasesOfGroup } from '../../catalog/usage.js';
import { ControlPlaneError, isControlPlaneError } from '../../errors/catalogue.js';
import { ItemSpans } from '../../tracing/item-spans.js';
import type { ApiContext } from '../api-context.js';
import { defineRoute, mayDo, ofPublishing, ofCreation } from '../define-route.js';
import { databaseNotFound, requireGroup } from '../named-resources.js';
import { anything, empty, input, integer, list, object, text } from '../schemas.js';
import { hostnameOf } from './database-routes.js';

const maxBulk = 1_000;
/** Creations of one bulk call that run at the same time. */
const parallelCreations = 8;

const names = { type: 'array', minItems: 1, maxItems: maxBulk, items: text } as const;
const operationObject = object(
  {
    id: text,
    state: { enum: ['running', 'stopped', 'failed', 'done'] },
    reason: text,
    total: integer,
    succeeded: integer,
    failed: integer,
    max_failure_rate: { type: 'number' },
    started_by: text,
    created_at: text,
    failures: list(object({ database: text, error: text })),
  },
  ['reason', 'failures'],
);

interface GroupRoute {
  Params: { group: string };
}
interface OperationRoute {
  Params: { group: string; operation: string };
}
interface MigrationBody {
  statements: string[];
  databases?: string[] | null;
  max_failure_rate?: number | null;
}
interface BulkResult {
  readonly name: string;
  readonly status: 'created' | 'refused';
  readonly DbId?: string;
  readonly Hostname?: string;
  readonly error?: string;
  readonly code?: string;
}

/** An extension of the Platform API: work over many databases of a group. */
export function registerFleetRoutes(app: FastifyInstance, context: ApiContext): void {
  const { catalog } = context;

  defineRoute<GroupRoute & { Body: MigrationBody }>(app, {
    method: 'POST',
    url: '/groups/:group/migrations',
    operation: 'startMigration',
    summary: 'Applies SQL to all or selected databases of a group, to each in one transaction and once.',
    access: mayDo('fleet:run'),
    errors: ['DATABASE_NOT_FOUND', 'GROUP_NOT_FOUND'],
    audit: 'migration-start',
    body: input(
      {
        statements: { type: 'array', minItems: 1, maxItems: 1_000, items: { type: 'string', minLength: 1 } },
        databases: { type: ['array', 'null'], minItems: 1, maxItems: 10_000, items: text },
        max_failure_rate: { type: ['number', 'null'], minimum: 0, maximum: 1 },
      },
      ['statements'],
    ),
    answer: object({ operation: operationObject }),
    handler: async (request) => {
      const group = await requireGroup(request, request.params.group, context);
      const { statements, databases, max_failure_rate: rate } = request.body;
      const selected = databases ? await selectedOf(request, group, databases) : undefined;
      const operation: OperationRecord = {
        id: randomUUID(),
        organization: request.organization,
        groupUuid: group.uuid,
        statements,
        ...(selected && { databases: selected.map(({ uuid }) => uuid) }),
        maxFailureRate: rate ?? 0,
        state: 'running',
        cursor: '',
        total: selected?.length ?? (await countDatabasesOfGroup(catalog, group.uuid)),
        succeeded: 0,
        failed: 0,
        startedBy: request.principal.user.username,
        createdAtMs: context.clock.now(),
      };
      noteInAudit({ operation: operation.id, databases: operation.total });
      await insertOperation(catalog, operation);
      await context.operations.wake(operation.id);
      return { operation: toOperationObject(operation) };
    },
  });

  defineRoute<GroupRoute>(app, {
    method: 'GET',
    url: '/groups/:group/operations',
    operation: 'listOperations',
    summary: 'The last operations of a group.',
    access: mayDo('read'),
    errors: ['GROUP_NOT_FOUND'],
    answer: object({ operations: list(operationObject) }),
    handler: async (request) => {
      const group = await requireGroup(request, request.params.group, context);
      await context.operations.wake();
      return { operations: (await operationsOfGroup(catalog, group.uuid)).map(toOperationObject) };
    },
  });
  const requireOperation = async (request: FastifyRequest<OperationRoute>): Promise<OperationRecord> => {
    const group = await requireGroup(request, request.params.group, context);
    const operation = await findOperation(catalog, request.params.operation);
    if (operation?.groupUuid === group.uuid) return operation;
    throw new ControlPlaneError('OPERATION_NOT_FOUND', `could not find operation ${request.params.operation}`);
  };
  const present = async ({ id }: OperationRecord) => {
    const operation = await findOperation(catalog, id);
    if (operation === undefined) throw new ControlPlaneError('OPERATION_NOT_FOUND', `could not find operation ${id}`);
    return { operation: { ...toOperationObject(operation), failures: await failuresOf(catalog, id) } };
  };
  defineRoute<OperationRoute>(app, {
    method: 'GET',
    url: '/groups/:group/operations/:operation',
    operation: 'getOperation',
    summary: 'How far an operation is, and which databases failed.',
    access: mayDo('read'),
    errors: ['GROUP_NOT_FOUND', 'OPERATION_NOT_FOUND'],
    answer: object({ operation: operationObject }),
    handler: async (request) => {
      const operation = await requireOperation(request);
      // Also takes up what a replica that is gone has left.
      await context.operations.wake();
      return present(operation);
    },
  });
  for (const [action, change, summary] of [
    ['stop', stopOperation, 'Stops an operation after the databases in hand.'],
    ['resume', resumeOperation, 'Lets an operation go on; databases that failed are tried again.'],
  ] as const) {
    defineRoute<OperationRoute>(app, {
      method: 'POST',
      url: `/groups/:group/operations/:operation/${action}`,
      operation: `${action}Operation`,
      summary,
      access: mayDo('fleet:run'),
      errors: ['GROUP_NOT_FOUND', 'OPERATION_NOT_FOUND', 'OPERATION_STATE'],
      audit: `migration-${action}`,
      body: anything,
      answer: object({ operation: operationObject }),
      handler: async (request) => {
        const operation = await requireOperation(request);
        if (!(await change(catalog, operation.id))) {
          throw new ControlPlaneError('OPERATION_STATE', `the operation is ${operation.state}`);
        }
        await context.operations.wake(operation.id);
        return present(operation);
      },
    });
  }

  defineRoute<GroupRoute & { Body: { names: string[]; use_tursodb?: boolean | null } }>(app, {
    method: 'POST',
    url: '/groups/:group/databases',
    operation: 'createDatabases',
    summary: 'Creates many databases; the answer says of each what became of it.',
    access: mayDo('db:create'),
    errors: ['GROUP_NOT_FOUND', ...ofCreation],
    audit: 'db-create-bulk',
    body: input({ names, use_tursodb: { type: ['boolean', 'null'] } }, ['names']),
    answer: object({
      databases: list(
        object({ name: text, status: text, DbId: text, Hostname: text, error: text, code: text }, [
          'DbId',
          'Hostname',
          'error',
          'code',
        ]),
      ),
    }),
    handler: async (request) => {
      const group = await requireGroup(request, request.params.group, context);
      const { organization, body } = request;
      for (const database of body.names) assertDatabaseAddress({ database, organization });
      const engine = body.use_tursodb === true ? 'tursodb' : 'libsql';
      const waiting = [...new Set(body.names)];
      const results: BulkResult[] = [];
      const spans = new ItemSpans(context.tracing, waiting.length);
      const create = async (name: string): Promise<DatabaseRecord> =>
        spans.item('bulk creation', {}, async () => context.lifecycle.create({ organization, name, group, engine }));
      const worker = async (): Promise<void> => {
        for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
          try {
            const record = await create(name);
            results.push({ name, status: 'created', DbId: record.uuid, Hostname: hostnameOf(record, context) });
          } catch (error) {
            // What is wrong with one is no reason to stop; what is wrong with the data plane is.
            if (!isControlPlaneError(error) || error.status >= 500) throw error;
            results.push({ name, status: 'refused', error: error.message, code: error.code });
          }
        }
      };
      await Promise.all(Array.from({ length: parallelCreations }, worker));
      noteInAudit({ group: group.name, created: results.filter(({ status }) => status === 'created').length });
      const order = new Map(body.names.map((name, place) => [name, place]));
      return { databases: results.sort((one, other) => (order.get(one.name) ?? 0) - (order.get(other.name) ?? 0)) };
    },
  });

  defineRoute<GroupRoute & { Body: { databases: string[] } }>(app, {
    method: 'POST',
    url: '/groups/:group/databases/rotate',
    operation: 'rotateTokensOfDatabases',
    summary: 'Ends every token of these databases; for all databases of a group, rotate the group.',
    access: mayDo('db:rotate-creds'),
    errors: ['DATABASE_NOT_FOUND', 'GROUP_NOT_FOUND', ...ofPublishing],
    audit: 'db-token-rotate-bulk',
    body: input({ databases: names }, ['databases']),
    answer: empty,
    handler: async (request) => {
      const group = await requireGroup(request, request.params.group, context);
      const selected = await selectedOf(request, group, request.body.databases);
      noteInAudit({ databases: selected.map(({ uuid }) => uuid) });
      await catalog.write(nextGeneration(selected.map(({ uuid }) => uuid)));
      await context.accessRules.publish();
      return {};
    },
  });

  /** The named databases, all of which must be in the group. Throws `DATABASE_NOT_FOUND`. */
  async function selectedOf(
    { organization }: FastifyRequest,
    group: GroupRecord,
    namesOrIds: readonly string[],
  ): Promise<DatabaseRecord[]> {
    const found = await databasesNamed(catalog, organization, namesOrIds);
    const inGroup = found.filter((database) => database.group.uuid === group.uuid);
    const known = new Set(inGroup.flatMap(({ name, uuid }) => [name, uuid]));
    for (const nameOrId of namesOrIds) if (!known.has(nameOrId)) throw databaseNotFound(nameOrId);
    return inGroup;
  }
}

function toOperationObject(operation: OperationRecord) {
  const { id, state, reason, total, succeeded, failed, maxFailureRate, startedBy, createdAtMs } = operation;
  return {
    id,
    state,
    ...(reason !== undefined && { reason }),
    total,
    succeeded,
    failed,
    max_failure_rate: maxFailureRate,
    started_by: startedBy,
    created_at: new Date(createdAtMs).toISOString(),
  };
}
