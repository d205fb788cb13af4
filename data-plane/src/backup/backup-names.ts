/**
 * Names in a backup store. Objects of databases have the names that they have in the data store; each backup adds what says
 * which of them make up the deployment at its time.
 */
export const backupsPrefix = 'backups/';

/** Says what the store holds backups of. */
export const backupOriginName = 'backup-origin';

/** Says who takes a backup at present. */
export const backupTurnName = 'backup-turn';

/** In a data store that was restored from a backup: says so, for ever. */
export const restoredName = 'restored';

/** In a data store while a restore into it is under way. */
export const restoringName = 'restoring';

const idPattern = /^[0-9]{8}T[0-9]{9}Z-[0-9a-f]{8}$/;

/** Ids are in the order of the times at which backups began. `random` is 8 hex digits. */
export function backupId(startedAtMs: number, random: string): string {
  return `${new Date(startedAtMs).toISOString().replaceAll(/[-:.]/g, '')}-${random}`;
}

export function isBackupId(text: string): boolean {
  return idPattern.test(text);
}

const folder = (id: string): string => `${backupsPrefix}${id}/`;

export function backupPartName(id: string, part: number): string {
  return `${folder(id)}part-${part.toString().padStart(6, '0')}`;
}

/** Stored last: a backup without it does not exist. */
export function backupCompleteName(id: string): string {
  return `${folder(id)}complete`;
}

/** The backup is being deleted. */
export function backupExpiredName(id: string): string {
  return `${folder(id)}expired`;
}

/** Id and kind of an object below `backupsPrefix`; undefined for one that is of no backup. */
export function backupObject(key: string): { readonly id: string; readonly file: string } | undefined {
  const [prefix, id = '', file = '', ...rest] = key.split('/');
  const isOne = `${String(prefix)}/` === backupsPrefix && isBackupId(id) && file !== '' && rest.length === 0;
  return isOne ? { id, file } : undefined;
}
