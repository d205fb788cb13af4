"""Drives a database through Turso Sync for Python, as the test tells it.

Reads a line of JSON for each step from standard input and answers with one: {"ok": value} or {"error": text}.
Steps: {"do": "connect", "name", "path", "url", "token", "prefix"?}, {"do": "run", "name", "sql", "parameters"?},
{"do": "push" | "pull" | "checkpoint" | "close", "name"}.
"""

import json
import sys

import turso.sync

connections = {}


def connect(step):
    partial = None
    if step.get("prefix"):
        partial = turso.sync.PartialSyncOpts(
            bootstrap_strategy=turso.sync.PartialSyncPrefixBootstrap(length=step["prefix"])
        )
    connections[step["name"]] = turso.sync.connect(
        step["path"],
        remote_url=step["url"],
        auth_token=step["token"],
        client_name="python-test",
        partial_sync_experimental=partial,
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
    if what == "close":
        return connections.pop(step["name"]).close()
    return getattr(connections[step["name"]], what)()


for line in sys.stdin:
    try:
        answer = {"ok": do(json.loads(line))}
    except Exception as error:  # What the client says is what the test looks at.
        answer = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(answer, default=str), flush=True)
