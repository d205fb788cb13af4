import type { TableAction } from '../../auth/table-permissions.js';

/** Something that a statement does, as far as a permission is needed for it. */
export type TableUse =
  /** `table` null: needs the action on every table. */
  | { readonly kind: 'action'; readonly action: TableAction; readonly table: string | null }
  /** Whatever may be done with the new name has to be permitted with the old one. */
  | { readonly kind: 'rename'; readonly from: string; readonly to: string }
  /** Nobody whose token is limited to single actions or tables may do it. */
  | { readonly kind: 'refused'; readonly why: string };

export function action(action: TableAction, table: string | null): TableUse {
  return { kind: 'action', action, table };
}

export function refused(why: string): TableUse {
  return { kind: 'refused', why };
}
