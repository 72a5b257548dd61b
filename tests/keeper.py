"""Keeps one server for as long as somebody holds the other end of its standard input.

Run as a program by `tests.servers`. Whoever started it may die in any way, SIGKILL included: the
pipe closes, the server is stopped and its folder removed. The line `stop` stops the server and
leaves the folder, for a server that is to start again on what it stored.

    python keeper.py FOLDER USER SIGNAL COMMAND [ARGUMENT …]

USER may be empty: the one it runs as. SIGNAL is the number of what ends a server whose folder goes.
"""

import pwd
import select
import shutil
import signal
import subprocess
import sys

STOP_S = 20.0
"""A fast shutdown takes well under a second; a server that takes longer is killed."""

LOOK_S = 0.2
"""How often it looks whether the server ended by itself: nobody waits for that to be quicker."""


def keep(folder: str, user: str, last: int, command: list[str]) -> int:
    server = start(user, command)
    while not select.select([sys.stdin], [], [], LOOK_S)[0]:
        if server.poll() is not None:
            return server.returncode
    leave = sys.stdin.readline() == "stop\n"
    # To PostgreSQL SIGINT is a fast shutdown: it waits for no client.
    stop(server, signal.SIGINT if leave else last)
    if not leave:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


def start(user: str, command: list[str]) -> subprocess.Popen[bytes]:
    if not user:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL)
    group = pwd.getpwnam(user).pw_gid
    return subprocess.Popen(
        command, stdin=subprocess.DEVNULL, user=user, group=group, extra_groups=[]
    )


def stop(server: subprocess.Popen[bytes], number: int) -> None:
    server.send_signal(number)
    try:
        server.wait(STOP_S)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


if __name__ == "__main__":
    sys.exit(keep(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4:]))
