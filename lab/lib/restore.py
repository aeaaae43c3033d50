"""restore.py HOSTDIR BASE: put a running host's disk back to its pristine state.

Compares the overlay's upper layer with the copy taken after boot and repairs the differences
through the mounted overlay (writing to the upper layer itself would be undefined). A file deleted
from the base shows as a character device 0/0, a replaced directory as opaque; both come back
from the base.
"""
import os
import shutil
import stat
import sys

# Written by the running system all the time; nothing that a rollout decides on lives there.
VOLATILE = ("var/log/journal", "var/lib/systemd", "var/tmp", "run", "tmp", "var/lib/dbus", "dev", "sys", "proc")


def whiteout(st):
    return stat.S_ISCHR(st.st_mode) and st.st_rdev == 0


def opaque(path):
    try:
        return os.getxattr(path, "trusted.overlay.opaque", follow_symlinks=False) == b"y"
    except OSError:
        return False


def mark(path):
    """What must be equal for two entries to count as the same, None for a missing one."""
    try:
        st = os.lstat(path)
    except FileNotFoundError:
        return None
    kind = stat.S_IFMT(st.st_mode)
    if stat.S_ISDIR(st.st_mode):
        return (kind, st.st_mode, st.st_uid, st.st_gid)
    return (kind, st.st_mode, st.st_uid, st.st_gid, st.st_size, st.st_mtime_ns, st.st_rdev)


def remove(path):
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    elif os.path.lexists(path):
        os.unlink(path)


def copy_entry(source, target):
    """Copies with owner, mode and times; a directory without its content."""
    st = os.lstat(source)
    if stat.S_ISDIR(st.st_mode):
        if os.path.lexists(target) and (os.path.islink(target) or not os.path.isdir(target)):
            remove(target)
        os.makedirs(target, exist_ok=True)
    else:
        remove(target)
        shutil.copy2(source, target, follow_symlinks=False)
    os.chown(target, st.st_uid, st.st_gid, follow_symlinks=False)
    if not stat.S_ISLNK(st.st_mode):
        os.chmod(target, stat.S_IMODE(st.st_mode))
        os.utime(target, ns=(st.st_atime_ns, st.st_mtime_ns))


def copy_tree(source, target):
    if whiteout(os.lstat(source)):
        return remove(target)
    copy_entry(source, target)
    if os.path.isdir(source) and not os.path.islink(source):
        for name in os.listdir(source):
            copy_tree(os.path.join(source, name), os.path.join(target, name))


class Restorer:
    def __init__(self, host_dir, base):
        self.upper, self.pristine, self.root = (os.path.join(host_dir, part) for part in ("upper", "pristine", "root"))
        self.base = base
        self.changes = []

    def restore(self, rel):
        """Makes `rel` in the root what it was; its parent exists already."""
        self.changes.append(rel)
        target, kept, below = (os.path.join(top, rel) for top in (self.root, self.pristine, self.base))
        remove(target)
        if mark(below) is not None and not opaque(kept):
            copy_tree(below, target)
        if mark(kept) is not None:
            copy_tree(kept, target)

    def visit(self, rel):
        if rel in VOLATILE:
            return
        now, kept, below = (os.path.join(top, rel) for top in (self.upper, self.pristine, self.base))
        is_now, was = mark(now), mark(kept) or mark(below)
        if is_now == was and not (is_now and stat.S_ISDIR(is_now[0])):
            return
        both_directories = is_now and was and stat.S_ISDIR(is_now[0]) and stat.S_ISDIR(was[0])
        if not both_directories or opaque(now) != opaque(kept):
            return self.restore(rel)
        if is_now != was:
            copy_entry(kept if mark(kept) else below, os.path.join(self.root, rel))
        self.children(rel)

    def children(self, rel):
        names = set(os.listdir(os.path.join(self.upper, rel)))
        kept = os.path.join(self.pristine, rel)
        if os.path.isdir(kept):
            names |= set(os.listdir(kept))
        for name in sorted(names):
            self.visit(os.path.join(rel, name) if rel else name)


if __name__ == "__main__":
    restorer = Restorer(sys.argv[1], sys.argv[2])
    restorer.children("")
    if os.environ.get("HITLESS_LAB_VERBOSE"):
        print("\n".join(restorer.changes), file=sys.stderr)
