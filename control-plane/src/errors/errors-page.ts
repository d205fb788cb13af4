import { catalogue } from './catalogue.js';

/** The text of `docs/platform-api-errors.md`: every code of the catalogue with its HTTP status and remedy. */
export function errorsPage(): string {
  const sections = Object.entries(catalogue).map(
    ([code, { status, remedy }]) => `## \`${code}\`\n\nHTTP status ${status}. ${remedy}\n`,
  );
  return [introduction, ...sections].join('\n');
}

const introduction = `# Errors of the Platform API

Generated from \`control-plane/src/errors/catalogue.ts\`; do not edit.

Every failed call is answered with JSON under exactly the content type \`application/json\`: \`error\` and \`message\` say
what was wrong, \`code\` is one of the headings below, \`remedy\` says what to do about it. Status 403 is never used: the
\`turso\` CLI takes it for "not a member" and forgets its organization. Errors that only an operator meets, on a terminal,
have status 500.
`;
