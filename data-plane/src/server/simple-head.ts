import type { PresentedKey } from '../keys/client-key.js';
import { encryptionCipherHeader, encryptionKeyHeader } from './client-key-headers.js';
import { forwardedForHeader, originHeader, type OriginHeaders } from './client-origins.js';
import { forwardedHeader } from './forwarding.js';
import { traceparentHeader } from '../tracing/traceparent.js';
import { requestIdHeader } from './request-id.js';

/**
 * Recognizes the head of a request that leaves no room for interpretation: a POST in HTTP/1.1 with a plain path, one
 * declared length, and nothing that changes how the rest of the connection is to be read.
 *
 * This is no HTTP parser. Whatever is not recognized, valid or not, is left to Node's, so that there is one judge of
 * every doubtful byte. What is recognized must mean the same to any parser: each line ends with CR LF, each name is a
 * token directly followed by its colon, each value is printable ASCII, and no name that frames the message comes twice.
 */
export interface SimpleHead {
  /** The request target: a path of unreserved characters. */
  readonly target: string;
  readonly host: string | undefined;
  readonly authorization: string | undefined;
  /** Passed on by another node. */
  readonly isForwarded: boolean;
  /** What it brings of a key that the client holds. */
  readonly clientKey: PresentedKey | undefined;
  /** What it says of where its client is. */
  readonly origin?: OriginHeaders;
  /** What whoever sent it calls it. */
  readonly requestId?: string;
  /** What it says of the trace that it is part of. */
  readonly traceparent?: string;
  /** Bytes of the body. */
  readonly contentLength: number;
}

const requestLine = /^POST (\/[A-Za-z0-9._~/-]*) HTTP\/1\.1$/;
const headerLine = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t\x20-\x7e]*)$/;
const decimal = /^[0-9]{1,15}$/;

/** `head` is the request's head in Latin-1 without the empty line that ends it. Undefined for what is not simple. */
export function parseSimpleHead(head: string): SimpleHead | undefined {
  const [first = '', ...lines] = head.split('\r\n');
  const target = requestLine.exec(first)?.[1];
  if (target === undefined) return undefined;
  let host: string | undefined;
  let authorization: string | undefined;
  let contentLength: number | undefined;
  let isForwarded = false;
  let requestId: string | undefined;
  let traceparent: string | undefined;
  let key: string | undefined;
  let cipher: string | undefined;
  let origin: Record<string, string> | undefined;
  for (const line of lines) {
    const match = headerLine.exec(line);
    if (!match) return undefined;
    const [, name = '', rest = ''] = match;
    const value = rest.trimEnd();
    switch (name.toLowerCase()) {
      case 'host':
        if (host !== undefined) return undefined;
        host = value;
        break;
      case 'authorization':
        if (authorization !== undefined) return undefined;
        authorization = value;
        break;
      case 'content-length':
        if (contentLength !== undefined || !decimal.test(value)) return undefined;
        contentLength = Number(value);
        break;
      case encryptionKeyHeader:
        if (key !== undefined) return undefined;
        key = value;
        break;
      case encryptionCipherHeader:
        if (cipher !== undefined) return undefined;
        cipher = value;
        break;
      case forwardedForHeader:
      case originHeader: {
        const header = name.toLowerCase();
        if (origin?.[header] !== undefined) return undefined;
        origin = { ...origin, [header]: value };
        break;
      }
      case requestIdHeader:
        if (requestId !== undefined) return undefined;
        requestId = value;
        break;
      case traceparentHeader:
        if (traceparent !== undefined) return undefined;
        traceparent = value;
        break;
      case forwardedHeader:
        isForwarded = true;
        break;
      case 'connection':
        if (value.toLowerCase() !== 'keep-alive') return undefined;
        break;
      case 'expect':
      case 'proxy-connection':
      case 'trailer':
      case 'transfer-encoding':
      case 'upgrade':
        return undefined;
    }
  }
  if (contentLength === undefined) return undefined;
  const clientKey = key === undefined && cipher === undefined ? undefined : { key, cipher };
  return {
    ...{ target, host, authorization, isForwarded, clientKey, contentLength },
    ...(origin && { origin }),
    ...(requestId !== undefined && { requestId }),
    ...(traceparent !== undefined && { traceparent }),
  };
}
