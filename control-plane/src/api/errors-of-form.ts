import type { ErrorCode } from '../errors/catalogue.js';
import type { Access } from './define-route.js';

/** Of every call that carries a token: it is looked up in the catalog. */
export const errorsOfToken = [
  'AUTH_TOKEN_MISSING',
  'AUTH_TOKEN_INVALID',
  'AUTH_TOKEN_EXPIRED',
  'AUTH_TOKEN_REVOKED',
  'RATE_LIMITED',
  'DATA_PLANE_UNAVAILABLE',
] as const satisfies readonly ErrorCode[];

/** Of every call that may have a body, whether the operation reads it or not. */
export const errorsOfBody = ['MALFORMED_REQUEST', 'REQUEST_TOO_LARGE'] as const satisfies readonly ErrorCode[];

/** What a call may be refused with before its handler runs: it follows from the method, the parameters and who may call. */
export function errorsOfForm(form: {
  readonly access: Access;
  readonly method: string;
  /** Parameters of the query, or of the path that are not just text. */
  readonly takesParameters: boolean;
}): ErrorCode[] {
  const { access, method, takesParameters } = form;
  return [
    'INTERNAL',
    ...(access.kind === 'public' ? [] : errorsOfToken),
    ...errorsOfAccess(access),
    ...(method === 'GET' ? [] : errorsOfBody),
    ...(takesParameters ? (['MALFORMED_REQUEST'] as const) : []),
  ];
}

function errorsOfAccess(access: Access): ErrorCode[] {
  switch (access.kind) {
    case 'public':
    case 'authenticated':
      return [];
    case 'user':
      return ['USER_TOKEN_NEEDED'];
    case 'operator':
      return ['USER_TOKEN_NEEDED', 'OPERATOR_ONLY'];
    case 'organization':
      return ['ORGANIZATION_NOT_FOUND', 'PERMISSION_DENIED'];
  }
}
