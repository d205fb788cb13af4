import type { DatabaseRequestKind } from '../database/database-service.js';
import type { PresentedKey } from '../keys/client-key.js';
import type { OriginHeaders } from './client-origins.js';
import { parseRequestTarget, type RequestTarget } from './request-target.js';
import { givenRequestId, requestIdHeader } from './request-id.js';
import { parseSimpleHead } from './simple-head.js';

const headEnd = '\r\n\r\n';
const lengthName = /\r\ncontent-length:[ \t]*/i;
const zero = 0x30;
const mostDigits = 15;

/** What a head that was read says, the length of its body apart. */
export interface HeadMeaning {
  readonly kind: DatabaseRequestKind;
  readonly target: RequestTarget;
  /** The target as the client sent it. */
  readonly sentTarget: string;
  /** What whoever sent it calls it, if it is one. */
  readonly requestId: string | undefined;
  /** What it says of the trace that it is part of; not checked. */
  readonly traceparent: string | undefined;
  readonly isForwarded: boolean;
  /** What it brings of a key that the client holds. */
  readonly clientKey: PresentedKey | undefined;
  readonly headers: { readonly host: string | undefined; readonly authorization: string | undefined } & OriginHeaders;
}

/** Where the parts of a request lie in the bytes that hold it. */
export interface RecognizedRequest {
  readonly meaning: HeadMeaning;
  readonly bodyStart: number;
  readonly bodyEnd: number;
}

/**
 * The head that a connection sent last. A client sends the same head with every request, up to the length of the body,
 * so most of them are recognized by comparing bytes.
 */
export class KnownHead {
  readonly meaning: HeadMeaning;
  /** Up to the digits of the length, and what follows them, the empty line included. */
  readonly #before: Buffer;
  readonly #after: Buffer;

  private constructor(meaning: HeadMeaning, before: string, after: string) {
    this.meaning = meaning;
    this.#before = Buffer.from(before, 'latin1');
    this.#after = Buffer.from(after, 'latin1');
  }

  /**
   * Reads the head that `bytes` begin with. `partial` when it may still become one; undefined when it is not simple, is
   * longer than `maxBytes`, or is for none of the `routes`.
   */
  static read(
    bytes: Buffer,
    maxBytes: number,
    routes: ReadonlyMap<string, DatabaseRequestKind>,
  ): KnownHead | 'partial' | undefined {
    const end = bytes.indexOf(headEnd, 0, 'latin1');
    if (end < 0) return bytes.length < maxBytes ? 'partial' : undefined;
    if (end + headEnd.length > maxBytes) return undefined;
    const text = bytes.toString('latin1', 0, end);
    const head = parseSimpleHead(text);
    if (!head) return undefined;
    const target = parseRequestTarget(head.target);
    const kind = routes.get(target.path);
    const name = lengthName.exec(text);
    if (kind === undefined || !name) return undefined;
    const before = text.slice(0, name.index + name[0].length);
    const after = text.slice(before.length).replace(/^[0-9]+/, '');
    const { host, authorization, isForwarded, clientKey, origin, traceparent } = head;
    const requestId = givenRequestId({ [requestIdHeader]: head.requestId });
    const headers = { host, authorization, ...origin };
    return new KnownHead(
      { kind, target, sentTarget: head.target, requestId, traceparent, isForwarded, clientKey, headers },
      before,
      after + headEnd,
    );
  }

  /** The request that `bytes` begin with, when it has this head. `bodyEnd` may lie beyond what has come so far. */
  recognize(bytes: Buffer): RecognizedRequest | undefined {
    const before = this.#before;
    const after = this.#after;
    if (bytes.length < before.length + after.length || before.compare(bytes, 0, before.length) !== 0) return undefined;
    let at = before.length;
    let length = 0;
    for (; at < bytes.length; at += 1) {
      const digit = (bytes[at] ?? 0) - zero;
      if (digit < 0 || digit > 9) break;
      length = length * 10 + digit;
    }
    const digits = at - before.length;
    const bodyStart = at + after.length;
    if (digits === 0 || digits > mostDigits || bodyStart > bytes.length) return undefined;
    if (after.compare(bytes, at, bodyStart) !== 0) return undefined;
    return { meaning: this.meaning, bodyStart, bodyEnd: bodyStart + length };
  }
}
