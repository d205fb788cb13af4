/** Resource types that CloudFormation cannot tag: parts and policies of what is tagged, and rules between such. */
export const untaggableTypes: ReadonlySet<string> = new Set([]);
