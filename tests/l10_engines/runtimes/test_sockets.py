from __future__ import annotations

import os
import socket

from drystone.l10_engines.runtimes import sockets


def test_the_kernel_names_the_port_of_each_listening_socket_and_no_other() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as v4,
        socket.create_server(("::1", 0), family=socket.AF_INET6) as v6,
        socket.create_connection(v4.getsockname()) as client,
    ):
        found = sockets.listeners()
        for server in (v4, v6):
            assert found[_inode(server)] == server.getsockname()[1]
        assert _inode(client) not in found
        was = _inode(v4)
    assert was not in sockets.listeners()


def test_hundreds_of_listening_sockets_come_in_several_pieces_and_whole() -> None:
    servers = [socket.create_server(("127.0.0.1", 0)) for _ in range(900)]
    try:
        found = sockets.listeners()
        assert {found[_inode(one)] for one in servers} == {one.getsockname()[1] for one in servers}
    finally:
        for one in servers:
            one.close()


def _inode(of: socket.socket) -> int:
    return os.fstat(of.fileno()).st_ino
