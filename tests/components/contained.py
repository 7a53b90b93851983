"""Runs a command as a container would: own processes and network, read-only root, another user.

`unshare --mount --net --pid --fork python contained.py ROOT FOLDER USER:GROUP WORKDIR COMMAND...`; FOLDER
stands, read-only, at WORKDIR. The environment stays as it is. It ends, and all in it, when its parent does.
"""

from __future__ import annotations

import fcntl
import os
import socket
import struct
import subprocess
import sys

_SET_FLAGS = 0x8914
_UP = 0x1 | 0x40


def main() -> None:
    """Mounts, gives up what a container has not, becomes the command."""
    root, folder, owner, workdir, *command = sys.argv[1:]
    user, group = map(int, owner.split(":"))
    at = f"{root}/{workdir.lstrip('/')}"
    for words in (
        ("--bind", root, root),
        ("--bind", folder, at),
        ("-o", "remount,bind,ro", at),
        ("-t", "proc", "proc", f"{root}/proc"),
        ("-o", "remount,bind,ro", root),
    ):
        subprocess.run(["mount", *words], check=True)  # noqa: S603, S607 - in our own mount namespace
    with socket.socket() as any_socket:
        fcntl.ioctl(any_socket, _SET_FLAGS, struct.pack("16sH14x", b"lo", _UP))
    os.chroot(root)
    os.chdir(workdir)
    os.setgroups([])
    os.setgid(group)
    os.setuid(user)
    os.execvp(command[0], command)  # noqa: S606 - what it is for


if __name__ == "__main__":
    main()
