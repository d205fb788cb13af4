/**
 * Entry of an engine process: `node [--expose-gc] engine-process.js <flight record> <engine>` with a socket to the I/O process
 * as file descriptor 3. It needs nothing else: no network, no environment, no credentials. When the socket ends it exits.
 */
import { Socket } from 'node:net';
import { loadAdapter } from './engine/adapters/load-adapter.js';
import { FlightRecorder } from './engine/ipc/flight-recorder.js';
import { FrameReader } from './engine/ipc/frame-reader.js';
import { decodeMessage, type ToEngine } from './engine/ipc/messages.js';
import { EngineLoop } from './engine/process/engine-loop.js';
import { NativeMemory } from './engine/process/native-memory.js';
import { Outbox } from './engine/process/outbox.js';
import { SqlGate } from './engine/sql-gate/gate.js';
import { HranaFace } from './hrana/hrana-face.js';
import { systemRuntime } from './runtime.js';

const [, , flightRecordPath, engine] = process.argv;
if (flightRecordPath === undefined || (engine !== 'libsql' && engine !== 'tursodb')) {
  throw new Error('usage: engine-process.js <flight record> libsql|tursodb');
}

const { gc } = globalThis;
const collectGarbage = gc && ((): void => gc());

const socket = new Socket({ fd: 3, readable: true, writable: true });
const runtime = systemRuntime;
const outbox = new Outbox(socket, runtime);
const loop = new EngineLoop({
  runtime,
  outbox,
  recorder: new FlightRecorder(flightRecordPath),
  nativeMemory: new NativeMemory(runtime, collectGarbage),
  loadAdapter,
  newGate: (engine) => new SqlGate(engine),
  newFace: (host) => new HranaFace(host, runtime),
});

// Loaded while nobody waits for it. When it cannot be, the first database that is opened says so.
loadAdapter(engine).catch(() => undefined);

const reader = new FrameReader();
socket.on('data', (chunk: Buffer) => {
  reader.push(chunk, (frame) => loop.receive(decodeMessage(frame) as ToEngine));
});
// Without the I/O process there is nobody to answer to, and what was not sent was never acknowledged.
socket.on('end', () => process.exit(0));
socket.on('close', () => process.exit(0));
socket.on('error', () => process.exit(1));
