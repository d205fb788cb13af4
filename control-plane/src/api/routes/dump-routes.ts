import { Busboy, type BusboyHeaders } from '@fastify/busboy';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import { dumpChunkBytes, maxDumpChunks } from '@turso-byoc/data-plane/storage/staged-dump.js';
import { AdminRefusal } from '../../data-node/admin-client.js';
import { ControlPlaneError } from '../../errors/catalogue.js';
import type { ApiContext } from '../api-context.js';
import { defineRoute, mayDo } from '../define-route.js';
import { dumpUrl, newDump, type DumpAddress } from '../../databases/dump-address.js';
import { anything, object, text } from '../schemas.js';

/** Uploads of SQL dumps for databases that are to begin as them. */
export function registerDumpRoutes(app: FastifyInstance, context: ApiContext): void {
  // In a context of its own: here bodies are taken as they come, and never whole.
  void app.register(async (dumps) => {
    dumps.removeAllContentTypeParsers();
    dumps.addContentTypeParser('*', (_request, payload, taken) => taken(null, payload));
    defineRoute(dumps, {
      method: 'POST',
      url: '/databases/dumps',
      operation: 'uploadDump',
      summary: 'Takes a dump as a form with the field "file"; a database can begin as it within a day.',
      access: mayDo('db:create'),
      errors: ['DATA_PLANE_REFUSED'],
      audit: 'db-dump-upload',
      body: anything,
      answer: object({ dump_url: text }),
      handler: async (request) => {
        const dump = await stage(request, context);
        const origin = `${request.protocol}://${request.host}`;
        return { dump_url: dumpUrl(dump, origin, request.organization) };
      },
    });
  });
}

/** Hands the file of a form on, chunk by chunk, at the pace of the data plane. */
async function stage(request: FastifyRequest, context: ApiContext): Promise<DumpAddress> {
  const type = request.headers['content-type'] ?? '';
  if (!/^multipart\/form-data *;/i.test(type)) {
    throw new ControlPlaneError('MALFORMED_REQUEST', 'a dump is uploaded as multipart/form-data, in the field "file"');
  }
  const dump = newDump(context.clock.now());
  let chunks = 0;
  const send = async (content: Buffer): Promise<void> => {
    if (chunks === maxDumpChunks) {
      throw new ControlPlaneError('REQUEST_TOO_LARGE', `a dump may have ${maxDumpChunks * dumpChunkBytes} bytes`);
    }
    await context.admin.stageDump(dump, chunks, content);
    chunks += 1;
  };
  await eachChunk(request.raw, type, send);
  if (chunks === 0) throw new ControlPlaneError('MALFORMED_REQUEST', 'the form has no field "file" with a dump in it');
  return { ...dump, chunks };
}

async function eachChunk(
  request: IncomingMessage,
  type: string,
  send: (content: Buffer) => Promise<void>,
): Promise<void> {
  let form: Busboy;
  try {
    const headers: BusboyHeaders = { 'content-type': type };
    form = new Busboy({ headers, limits: { files: 1, fields: 10, fieldSize: 1_024, parts: 20 } });
  } catch (cause) {
    throw new ControlPlaneError('MALFORMED_REQUEST', 'the form has no boundary', { cause });
  }
  await new Promise<void>((resolve, reject) => {
    let sent: Promise<void> = Promise.resolve();
    const fail = (error: unknown): void => {
      request.unpipe(form);
      // What still comes is not kept.
      request.resume();
      reject(translated(error));
    };
    form.on('file', (field, file) => {
      if (field !== 'file') {
        file.resume();
        return;
      }
      sent = inChunks(file, send);
      sent.catch((error: unknown) => {
        file.resume();
        fail(error);
      });
    });
    form.on('error', (cause: unknown) =>
      fail(new ControlPlaneError('MALFORMED_REQUEST', 'the form cannot be read', { cause })),
    );
    form.on('finish', () => void sent.then(resolve, fail));
    request.on('error', fail);
    request.on('aborted', () => fail(new ControlPlaneError('MALFORMED_REQUEST', 'the upload was broken off')));
    request.pipe(form);
  });
}

async function inChunks(file: Readable, send: (content: Buffer) => Promise<void>): Promise<void> {
  let parts: Buffer[] = [];
  let length = 0;
  for await (const part of file as AsyncIterable<Buffer>) {
    parts.push(part);
    length += part.length;
    while (length >= dumpChunkBytes) {
      const all = Buffer.concat(parts, length);
      await send(all.subarray(0, dumpChunkBytes));
      parts = [all.subarray(dumpChunkBytes)];
      length -= dumpChunkBytes;
    }
  }
  if (length > 0) await send(Buffer.concat(parts, length));
}

function translated(error: unknown): Error {
  if (error instanceof AdminRefusal)
    return new ControlPlaneError('DATA_PLANE_REFUSED', error.message, { cause: error });
  return error instanceof Error ? error : new Error(String(error));
}
