"""As whom the embedded server runs: PostgreSQL refuses to run as root."""

import os
import pwd
import subprocess
from dataclasses import dataclass
from pathlib import Path

from portal.errors import OperationError

_SYSTEM_USERS = ("greenroom", "postgres", "nobody")


@dataclass(frozen=True, slots=True)
class Identity:
    """How to start a server program: words put in front of it, or a system user's number."""

    prefix: tuple[str, ...] = ()
    uid: int | None = None
    gid: int | None = None

    def run(
        self, argv: list[str], *, keep_open: tuple[int, ...] = (), seconds: float = 60
    ) -> subprocess.CompletedProcess[str]:
        """Run a program to its end and return its output, both streams together.

        The output goes through a file and not a pipe: the server inherits the stream, and a
        pipe would be read until the server ends.
        """
        with open(os.memfd_create("output"), "w+") as output:
            done = subprocess.run(  # noqa: S603 - fixed programs of our own wheel
                [*self.prefix, *argv],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                pass_fds=keep_open,
                user=self.uid,
                group=self.gid,
                extra_groups=[] if self.uid is not None else None,
                cwd="/",
                timeout=seconds,
                check=False,
            )
            output.seek(0)
            return subprocess.CompletedProcess(argv, done.returncode, output.read(), "")

    def owns(self, folder: Path) -> None:
        """Give the folder to this identity."""
        if self.uid is not None and self.gid is not None:
            os.chown(folder, self.uid, self.gid)


def choose(folder: Path, program: Path) -> Identity:
    """Find an identity that may run `program` and write into `folder` (which root owns, or we)."""
    euid = os.geteuid()
    if euid != 0 and _has_name(euid):
        return Identity()
    owner = folder.stat().st_uid
    candidates = [_mapped(), *_system_users()] if owner in {0, euid} else [_user(owner)]
    if euid != 0:
        candidates = candidates[:1]
    for identity in candidates:
        if _reaches(identity, folder, program):
            return identity
    raise OperationError(
        "PostgreSQL refuses to run as root, user namespaces are not allowed here, and no system "
        f"user can reach both {folder} and {program.parent}. Run the portal as another user, move "
        "its data with PORTAL_VAR, or name a database of your own in DATABASE_URL."
    )


def _mapped() -> Identity:
    """A user namespace in which we have another number; outside it everything stays ours.

    The number must have a name, because initdb asks for one.
    """
    number = next((entry.pw_uid for entry in pwd.getpwall() if entry.pw_uid != 0), 65534)
    return Identity(prefix=("unshare", "--user", f"--map-user={number}", "--"))


def _system_users() -> list[Identity]:
    names = {entry.pw_name for entry in pwd.getpwall()}
    return [_user(pwd.getpwnam(name).pw_uid) for name in _SYSTEM_USERS if name in names]


def _user(uid: int) -> Identity:
    gid = pwd.getpwuid(uid).pw_gid if _has_name(uid) else uid
    return Identity(uid=uid, gid=gid)


def _has_name(uid: int) -> bool:
    return any(entry.pw_uid == uid for entry in pwd.getpwall())


def _reaches(identity: Identity, folder: Path, program: Path) -> bool:
    before = folder.stat()
    identity.owns(folder)
    question = 'test -x "$1" && test -w "$2"'
    try:
        answer = identity.run(["sh", "-c", question, "sh", str(program), str(folder)])
    except OSError:  # no unshare program, or the user may not be changed
        answer = None
    if answer is not None and answer.returncode == 0:
        return True
    if identity.uid is not None:
        os.chown(folder, before.st_uid, before.st_gid)
    return False
