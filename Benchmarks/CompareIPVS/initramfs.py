"""The guest's first file system: programs with their libraries, kernel modules, and what is to run."""

import json
import lzma
import os
import pathlib
import re
import shutil
import stat
import subprocess
import sys
import sysconfig

# What the guest's kernel needs, before what asks for it. crc32c is asked for by name only, so modinfo does not tell.
MODULES = ["veth", "crc32c_generic", "ip_vs", "ip_vs_rr", "ip_vs_wrr", "ip_vs_lc", "ip_vs_wlc", "ip_vs_sh", "ip_vs_dh",
           "ip_vs_sed", "ip_vs_nq", "ip_vs_fo", "ip_vs_ovf", "ip_vs_mh", "ip_vs_lblc", "ip_vs_lblcr", "ipip", "nf_tables"]
APPLETS = ["sh", "mount", "mkdir", "ln", "cat", "echo", "sleep", "insmod", "poweroff", "taskset", "ls", "ps", "dmesg"]


class Failed(Exception):
    """The comparison cannot be made."""


class Archive:
    """A newc cpio, as the kernel unpacks it into its first file system."""

    def __init__(self):
        self.files = {}

    def folder(self, path):
        path = pathlib.PurePosixPath(path)
        for each in [*reversed(path.parents), path]:
            if str(each) != "/":
                self.files.setdefault(str(each), (stat.S_IFDIR | 0o755, b""))

    def put(self, path, data, mode=0o755):
        self.folder(pathlib.PurePosixPath(path).parent)
        self.files[path] = (stat.S_IFREG | mode, data)

    def copy(self, source, path=None):
        self.put(path or str(source), pathlib.Path(source).read_bytes())

    def link(self, path, target):
        self.folder(pathlib.PurePosixPath(path).parent)
        self.files[path] = (stat.S_IFLNK | 0o777, target.encode())

    def program(self, source, path):
        """A program with the shared libraries that ldd names, each where the host has it."""
        self.copy(source, path)
        for library in libraries(source):
            if library not in self.files:
                self.copy(library)

    def write(self, path):
        with open(path, "wb") as out:
            for number, (name, (mode, data)) in enumerate([*sorted(self.files.items()), ("/TRAILER!!!", (0, b""))], 1):
                encoded = name[1:].encode() + b"\0"
                fields = (number, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(encoded), 0)
                header = b"070701" + b"".join(b"%08x" % field for field in fields) + encoded
                out.write(header + b"\0" * (-len(header) % 4) + data + b"\0" * (-len(data) % 4))


def libraries(program):
    """Paths as the loader looks for them, so that they are found at the same place in the guest."""
    listed = subprocess.run(["ldd", str(program)], capture_output=True, text=True).stdout
    if "not found" in listed:
        raise Failed(f"{program}: {next(line for line in listed.splitlines() if 'not found' in line).strip()}")
    return re.findall(r"(/\S+) \(0x", listed)


def needed(name):
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if not found:
        raise Failed(f"{name} is not installed")
    return os.path.realpath(found)


def module_files(kernel, names):
    """[(name, bytes)] in the order of loading, with what each depends on before it."""
    paths = kernel.glob("lib/modules/*/**/*.ko*")
    files = {re.sub(r"\.ko(\.xz)?$", "", path.name).replace("-", "_"): path for path in paths}
    order, bytes_of = [], {}

    def visit(name):
        # What is not there as a module is built into the kernel.
        if name in bytes_of or name not in files:
            return
        data = files[name].read_bytes()
        bytes_of[name] = data = lzma.decompress(data) if files[name].suffix == ".xz" else data
        depends = re.search(rb"\0depends=([^\0]*)\0", data)
        for each in depends[1].decode().split(",") if depends and depends[1] else []:
            visit(each.replace("-", "_"))
        order.append(name)

    for name in names:
        visit(name)
    return [(name, bytes_of[name]) for name in order]


INIT = """#!/bin/sh
export PATH=/usr/sbin:/usr/bin HOME=/ SWIFT_BACKTRACE=enable=no PYTHONDONTWRITEBYTECODE=1 PYTHONHOME=@HOME@
export LD_LIBRARY_PATH=@LIBRARIES@
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t tmpfs run /run
mount -t tmpfs tmp /tmp
mkdir -p /run/netns
for module in @MODULES@; do insmod /modules/$module.ko 2>/dev/null || echo "no module $module"; done
cd /compare
exec 2>&1
/usr/bin/python3 -S guest.py options.json /dev/ttyS1
poweroff -f
"""

# Parts of Python's library that the guest has no use for.
PYTHON_LEFT_OUT = re.compile(r"/(test|tests|idlelib|lib2to3|ensurepip|tkinter|pydoc_data|config-[^/]*|unittest|"
                             r"site-packages|dist-packages|__pycache__|turtledemo|xmlrpc|sqlite3|asyncio|email|"
                             r"distutils)(/|$)")
PYTHON_EXTENSIONS = re.compile(r"(_struct|_json|_socket|_posixsubprocess|select|math|_ctypes|_statistics|_random|"
                               r"_bisect|_hashlib|_sha\w*|_contextvars|fcntl|_datetime|_heapq|array|_decimal|zlib|_opcode)\.")


def add_python(archive):
    """The Python that runs this. Returns its prefix."""
    archive.program(os.path.realpath(sys.executable), "/usr/bin/python3")
    library = pathlib.Path(sysconfig.get_paths()["stdlib"])
    for path in library.rglob("*"):
        relative = "/" + str(path.relative_to(library))
        if not path.is_file() or PYTHON_LEFT_OUT.search(relative):
            continue
        if path.suffix == ".py":
            archive.put(str(path), path.read_bytes(), 0o644)
        elif path.suffix == ".so" and PYTHON_EXTENSIONS.match(path.name):
            archive.program(path, str(path))
    return sys.base_prefix


def pack(options, settings, path, parts):
    archive = Archive()
    busybox = needed("busybox")
    archive.program(busybox, "/usr/bin/busybox")
    for applet in APPLETS:
        archive.link(f"/usr/bin/{applet}", "busybox")
    for folder in ("bin", "sbin", "lib", "lib64"):
        archive.folder(f"/usr/{folder}")
        archive.link(f"/{folder}", f"usr/{folder}")
    archive.program(needed("ip"), "/usr/sbin/ip")
    archive.program(needed("ipvsadm"), "/usr/sbin/ipvsadm")
    archive.program(options.binary, "/usr/bin/fairlead")
    archive.copy(options.load, "/usr/bin/load")
    home = add_python(archive)
    modules = module_files(options.kernel, MODULES)
    for name, data in modules:
        archive.put(f"/modules/{name}.ko", data, 0o644)
    for part in parts.glob("*.py"):
        archive.copy(part, f"/compare/{part.name}")
    archive.put("/compare/options.json", json.dumps(settings).encode(), 0o644)
    for folder in ("/dev", "/proc", "/sys", "/run", "/tmp", "/var", "/etc/iproute2", "/root"):
        archive.folder(folder)
    archive.link("/var/run", "/run")
    archive.put("/etc/hosts", b"127.0.0.1 localhost\n", 0o644)
    for file in ("protocols", "services"):
        if os.path.exists(f"/etc/{file}"):
            archive.copy(f"/etc/{file}")
    folders = sorted({os.path.dirname(each) for each in libraries(options.binary)})
    init = INIT.replace("@MODULES@", " ".join(name for name, _ in modules)).replace("@HOME@", home)
    archive.put("/init", init.replace("@LIBRARIES@", ":".join(folders)).encode())
    # Paths below the links of a merged /usr belong below /usr.
    for name in [name for name in archive.files if re.match(r"/(bin|sbin|lib|lib64)/", name)]:
        archive.files["/usr" + name] = archive.files.pop(name)
        archive.folder(pathlib.PurePosixPath("/usr" + name).parent)
    archive.write(path)
