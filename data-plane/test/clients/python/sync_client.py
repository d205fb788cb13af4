"""Drives a database through Turso Sync for Python, as the test tells it.

Reads a line of JSON for each step from standard input and answers with one: {"ok": value} or {"error": text}.
The steps are those of `SyncStep` in ../sync-client.ts.
"""

import json
import sys

import turso.sync

connections = {}

ciphers = {
    "aegis256": turso.sync.RemoteEncryptionCipher.Aegis256,
    "aes256gcm": turso.sync.RemoteEncryptionCipher.Aes256Gcm,
}


def connect(step):
    strategy = None
    if step.get("prefix"):
        strategy = turso.sync.PartialSyncPrefixBootstrap(length=step["prefix"])
    elif step.get("query"):
        strategy = turso.sync.PartialSyncQueryBootstrap(query=step["query"])
    connections[step["name"]] = turso.sync.connect(
        step["path"],
        remote_url=step["url"],
        auth_token=step["token"],
        client_name="python-test",
        bootstrap_if_empty=step.get("bootstrap", True),
        long_poll_timeout_ms=step.get("longPollMs"),
        partial_sync_experimental=strategy and turso.sync.PartialSyncOpts(bootstrap_strategy=strategy),
        remote_encryption_key=step.get("key"),
        remote_encryption_cipher=ciphers[step["cipher"]] if "cipher" in step else None,
    )


def run(step):
    connection = connections[step["name"]]
    cursor = connection.execute(step["sql"], tuple(step.get("parameters", [])))
    rows = cursor.fetchall() if cursor.description else []
    connection.commit()
    return [list(row) for row in rows]


def do(step):
    what = step["do"]
    if what == "connect":
        return connect(step)
    if what == "run":
        return run(step)
    return getattr(connections[step["name"]], what)()


for line in sys.stdin:
    try:
        answer = {"ok": do(json.loads(line))}
    except Exception as error:  # What the client says is what the test looks at.
        answer = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(answer, default=str), flush=True)
