"""What a machine does to a process: a disk that is small, full, read-only or slow."""

from __future__ import annotations

import resource
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# Says so and delays what SQLite waits for when it commits; the delay goes on although a signal comes, as that of a disk does.
_SLOW = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static void wait_for_disk(void) {
    double seconds = atof(getenv("SLOW_DISK_S"));
    struct timespec left = {(time_t)seconds, (long)((seconds - (time_t)seconds) * 1e9)};
    if (write(2, "the disk is slow\\n", 17) < 0) {}
    while (nanosleep(&left, &left) && errno == EINTR) {}
}

int fsync(int fd) {
    wait_for_disk();
    return ((int (*)(int))dlsym(RTLD_NEXT, "fsync"))(fd);
}

int fdatasync(int fd) {
    wait_for_disk();
    return ((int (*)(int))dlsym(RTLD_NEXT, "fdatasync"))(fd);
}
"""


class Unavailable(Exception):
    """This machine does not let it be done; the reason is for people."""


class SmallDisk:
    """A file system of its own of `size_mb`, which can be filled to the last byte, freed again, and made read-only."""

    def __init__(self, path: Path, size_mb: int = 24) -> None:
        self.path = path
        self._filler = path / "filler"
        path.mkdir()
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size_mb}m", "none", path], capture_output=True, text=True, check=False)
        if done.returncode:
            raise Unavailable(f"no file system can be mounted here: {done.stderr.strip()}")

    def fill(self) -> None:
        """Not one more block fits."""
        with self._filler.open("ab", buffering=0) as file:
            try:
                while file.write(b"\0" * 4096):
                    pass
            except OSError:
                pass

    def free(self) -> None:
        self._filler.unlink()

    def read_only(self, yes: bool = True) -> None:
        """Only while nobody holds a file of it open for writing."""
        subprocess.run(["mount", "-o", f"remount,{'ro' if yes else 'rw'}", self.path], check=True, capture_output=True)

    def close(self) -> None:
        subprocess.run(["umount", "-l", self.path], check=False, capture_output=True)


@contextmanager
def unwritable(pid: int) -> Iterator[None]:
    """No write of a running process to any file succeeds (EFBIG), as on a disk that the kernel has turned read-only."""
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, before)


def slow_disk(folder: Path, seconds: float) -> dict[str, str]:
    """The environment of a process whose every fsync takes that long."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise Unavailable("no C compiler for the library that slows fsync down")
    source, library = folder / "slow.c", folder / "slow.so"
    source.write_text(_SLOW)
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True, capture_output=True)
    return {"LD_PRELOAD": str(library), "SLOW_DISK_S": str(seconds)}
