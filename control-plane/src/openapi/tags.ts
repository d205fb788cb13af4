/** Under which heading an operation stands in the OpenAPI document and in the reference that is made from it. */

/** In the order in which they are shown. */
export const tags = [
  'Databases',
  'Deleted databases',
  'Groups',
  'Many databases at once',
  'Tokens of databases and groups',
  'Platform tokens and sign-in',
  'Organizations and people',
  'Key sets of outside issuers',
  'Limits and usage',
  'Audit log',
  'Locations and release',
  'Operating the control plane',
] as const;
export type Tag = (typeof tags)[number];

/** By the first part of a path below version and organization. */
const byResource: Readonly<Record<string, Tag>> = {
  databases: 'Databases',
  'deleted-databases': 'Deleted databases',
  groups: 'Groups',
  auth: 'Platform tokens and sign-in',
  'api-tokens': 'Platform tokens and sign-in',
  bootstrap: 'Platform tokens and sign-in',
  'sign-in': 'Platform tokens and sign-in',
  signup: 'Platform tokens and sign-in',
  '': 'Platform tokens and sign-in',
  organizations: 'Organizations and people',
  members: 'Organizations and people',
  invites: 'Organizations and people',
  invite: 'Organizations and people',
  users: 'Organizations and people',
  user: 'Organizations and people',
  'current-user': 'Organizations and people',
  jwks: 'Key sets of outside issuers',
  'jwks-template': 'Key sets of outside issuers',
  limits: 'Limits and usage',
  usage: 'Limits and usage',
  plans: 'Limits and usage',
  subscription: 'Limits and usage',
  invoices: 'Limits and usage',
  billing: 'Limits and usage',
  'audit-logs': 'Audit log',
  locations: 'Locations and release',
  releases: 'Locations and release',
  deployment: 'Locations and release',
};

/** `url` as it is declared, with `:name` or as it stands in the document, with `{name}`. */
export function tagOf(url: string): Tag {
  const [resource = '', , part = '', ...rest] = url
    .replace(/^\/v\d(?=\/)/, '')
    .replace(/^\/organizations\/[:{][^/]+(?=\/)/, '')
    .slice(1)
    .split('/');
  if (resource === 'databases' && part === 'auth') return 'Tokens of databases and groups';
  if (resource === 'groups' && part === 'auth') return 'Tokens of databases and groups';
  if (resource === 'groups' && (part === 'databases' || part === 'operations' || rest.includes('operations')))
    return 'Many databases at once';
  return byResource[resource] ?? 'Operating the control plane';
}
