import { when, type Rule } from '../rule.js';

/** Tags that the deployment sets itself, and AWS's own. */
const reserved = /^(aws:|turso-byoc:)/i;

export const tagRules: readonly Rule[] = [
  {
    code: 'TAG_RESERVED',
    demands: 'No tag begins with aws: or turso-byoc:.',
    broken: ({ tags }) =>
      Object.keys(tags).flatMap((key) =>
        when(
          reserved.test(key),
          `tags.${key}`,
          `tags that begin with aws: or turso-byoc: are set by others; rename it`,
        ),
      ),
  },
  {
    code: 'TAG_SIZE',
    demands: 'There are 40 tags at the most, with keys of 128 and values of 256 characters.',
    broken: ({ tags }) => [
      ...when(
        Object.keys(tags).length > 40,
        'tags',
        `${Object.keys(tags).length} tags; a resource takes 50 and some are set here and by AWS: name 40 at the most`,
      ),
      ...Object.entries(tags).flatMap(([key, value]) =>
        when(
          key.length === 0 || key.length > 128 || value.length > 256,
          `tags.${key}`,
          'the tag is too long; keys have 1 to 128 characters, values at the most 256',
        ),
      ),
    ],
  },
];
