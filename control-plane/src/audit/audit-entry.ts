/** One entry of the audit log, in the words of the Platform API. */
export interface AuditEntry {
  readonly id: string;
  /** What was done, such as `db-create`. */
  readonly code: string;
  /** The same for people. */
  readonly message: string;
  /** Through what: `cli`, `api`, `sign-in`, or a part of the control plane. */
  readonly origin: string;
  /** Name of the user, or the part of the control plane that acted by itself. */
  readonly author: string;
  /** Slug; empty for what concerns no organization. */
  readonly organization: string;
  /** RFC 3339. */
  readonly created_at: string;
  readonly ip?: string;
  /** Names and ids of what was touched. Never a secret: no token, no key. */
  readonly data: Readonly<Record<string, unknown>>;
  /** `interrupted`: the control plane died before it knew; what was begun is finished or undone by the reconciler. */
  readonly outcome: 'done' | 'refused' | 'failed' | 'interrupted';
}

/** An entry in the making: its outcome is not known yet. */
export type AuditDraft = Omit<AuditEntry, 'outcome' | 'data'> & { readonly data: Record<string, unknown> };
