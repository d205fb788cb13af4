/** What the control plane process and the launcher that started it say to each other over their IPC channel. */

export type ToLauncher =
  | { readonly type: 'ready'; readonly apiPort: number }
  /** Answers `ensure-platform-token`. */
  | { readonly type: 'platform-token'; readonly token: string };

export interface ToControlPlane {
  /** Asks for a platform token under this name: `current` when that one is in force, else a new one. */
  readonly type: 'ensure-platform-token';
  readonly name: string;
  readonly current?: string;
}

export function isToControlPlane(message: unknown): message is ToControlPlane {
  if (typeof message !== 'object' || message === null) return false;
  const { type, name, current } = message as Record<string, unknown>;
  return (
    type === 'ensure-platform-token' &&
    typeof name === 'string' &&
    (current === undefined || typeof current === 'string')
  );
}

export function isToLauncher(message: unknown): message is ToLauncher {
  if (typeof message !== 'object' || message === null) return false;
  const { type, apiPort, token } = message as Record<string, unknown>;
  return (type === 'ready' && typeof apiPort === 'number') || (type === 'platform-token' && typeof token === 'string');
}
