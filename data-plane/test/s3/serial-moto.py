"""moto, one request at a time: `python serial-moto.py PORT`.

moto checks a condition and then writes, in a thread per request and without a lock, so that two of several writers at the
same moment can both win. One request at a time, it does what S3 does.
"""

import sys
from threading import Lock

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, run_simple

moto = DomainDispatcherApplication(create_backend_app)
one_at_a_time = Lock()


def application(environ, start_response):
    with one_at_a_time:
        return list(moto(environ, start_response))


WSGIRequestHandler.protocol_version = "HTTP/1.1"
run_simple("127.0.0.1", int(sys.argv[1]), application, threaded=True)
