import { catalogue } from './catalogue.js';

/**
 * The text of `docs/errors.md`: every code of the catalogue with its HTTP status and remedy, in the catalogue's order.
 * Headings carry the bare code, so that `docs/errors.md#database_not_found` leads to it.
 */
export function errorsPage(): string {
  const sections = Object.entries(catalogue).map(
    ([code, { status, remedy }]) => `## \`${code}\`\n\nHTTP status ${status}. ${remedy}\n`,
  );
  return [introduction, ...sections].join('\n');
}

const introduction = `# Errors of the data plane

Generated from \`data-plane/src/errors/catalogue.ts\`; do not edit.

Every failed request is answered with JSON: \`error\` and \`message\` say what was wrong, \`code\` is one of the headings
below, \`remedy\` says what to do about it. The header \`x-request-id\` names the request in the log of the data node. An
error of a single statement travels inside a response with status 200; the status given here then does not apply.
`;
