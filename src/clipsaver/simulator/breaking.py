"""How a connection is broken off."""

import socket
import struct

from aiohttp import web


def reset(request: web.Request) -> None:
    """Break the connection off, so that the other side sees a reset and no end."""
    if request.transport is None:
        return
    sock = request.transport.get_extra_info("socket")
    if sock is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    request.transport.abort()
