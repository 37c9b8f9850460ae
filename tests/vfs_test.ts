import { assertEquals, assertInstanceOf, assertStrictEquals, assertThrows } from "@std/assert";
import { type Activity, type Step, work } from "../hw/sim/activity.ts";
import {
  EACCES,
  EBADF,
  EBUSY,
  EEXIST,
  EINVAL,
  EIO,
  EISDIR,
  ELOOP,
  ENAMETOOLONG,
  ENOENT,
  ENOTDIR,
  ENOTEMPTY,
  EPERM,
  Errno,
  ERRNOS,
  EXDEV,
} from "../runtime/linux/errno.ts";
import {
  type AttributeNode,
  type Node,
  type OpenFile,
  type OpenFlags,
  PROCFS,
  SYSFS,
  SYSFS_3_5,
  Vfs,
} from "../runtime/linux/fs/vfs.ts";
import { MemoryDirectory } from "../runtime/linux/fs/tmpfs.ts";

function run<T>(activity: Activity<T>): T {
  for (;;) {
    const { done, value } = activity.next(0);
    if (done) return value;
  }
}

function open(vfs: Vfs, path: string, flags: OpenFlags): OpenFile {
  const file = vfs.open(path, flags);
  if (file instanceof Errno) throw new Error(`${path}: ${file}`);
  return file;
}

function read(vfs: Vfs, path: string): string | Errno {
  const file = vfs.open(path, { read: true });
  return file instanceof Errno ? file : run(file.read());
}

/** What `echo TEXT > PATH` does. */
function echo(vfs: Vfs, text: string, path: string): number | Errno {
  const file = vfs.open(path, { write: true, create: true, truncate: true });
  return file instanceof Errno ? file : run(file.write(text));
}

function directory(entries: Record<string, Node>): Node {
  return { kind: "directory", list: () => Object.keys(entries), lookup: (name) => entries[name] };
}

const stores: string[] = [];
const slow: Step = work("store", 1, 500);
const WRITABLE: AttributeNode = {
  kind: "attribute",
  mode: 0o644,
  show: () => "1\n",
  *store(text) {
    yield slow;
    stores.push(text);
    if (text !== "0\n" && text !== "1\n") return EINVAL;
  },
};

function sample(fileSystem = SYSFS): Vfs {
  const vfs = new Vfs();
  vfs.mount(
    "/sys",
    directory({
      online: WRITABLE,
      vendor: { kind: "attribute", mode: 0o444, show: () => "0x8086\n" },
      bind: { kind: "attribute", mode: 0o200, store: () => {} },
      bus: directory({ link: { kind: "link", target: () => "../devices/a" } }),
      devices: directory({ a: directory({ id: { kind: "attribute", mode: 0o444, show: () => "a\n" } }) }),
    }),
    fileSystem,
  );
  return vfs;
}

Deno.test("errno numbers and texts are those of the C library", () => {
  const table: [string, number, string][] = [
    ["EPERM", 1, "Operation not permitted"],
    ["ENOENT", 2, "No such file or directory"],
    ["EIO", 5, "Input/output error"],
    ["ENOMEM", 12, "Cannot allocate memory"],
    ["EACCES", 13, "Permission denied"],
    ["EBUSY", 16, "Device or resource busy"],
    ["EEXIST", 17, "File exists"],
    ["ENODEV", 19, "No such device"],
    ["EINVAL", 22, "Invalid argument"],
    ["ENOSPC", 28, "No space left on device"],
    ["EROFS", 30, "Read-only file system"],
    ["ERANGE", 34, "Numerical result out of range"],
    ["ENOSYS", 38, "Function not implemented"],
    ["EOVERFLOW", 75, "Value too large for defined data type"],
  ];
  for (const [name, number, message] of table) {
    const errno = ERRNOS.find((each) => each.name === name)!;
    assertEquals([errno.name, errno.number, errno.message], [name, number, message]);
  }
  assertEquals(new Set(ERRNOS.map(({ number }) => number)).size, ERRNOS.length);
});

Deno.test("a file in memory keeps what is written and grows by append", () => {
  const vfs = new Vfs();
  assertEquals(vfs.mkdir("/tmp"), undefined);
  assertEquals(echo(vfs, "one\n", "/tmp/f"), 4);
  assertEquals(run(open(vfs, "/tmp/f", { append: true, create: true }).write("two\n")), 4);
  assertEquals(read(vfs, "/tmp/f"), "one\ntwo\n");
  assertEquals(vfs.stat("/tmp/f"), { kind: "file", mode: 0o644, size: 8 });
  assertEquals(echo(vfs, "three\n", "/tmp/f"), 6);
  assertEquals(read(vfs, "/tmp/f"), "three\n");
});

Deno.test("descriptors that share an open file share its position", () => {
  const vfs = new Vfs();
  echo(vfs, "a line\nand another\n", "/f");
  const file = open(vfs, "/f", { read: true });
  assertEquals(run(file.read(7)), "a line\n");
  assertEquals(run(file.read()), "and another\n");
  assertEquals(run(file.read()), "");
  const both = open(vfs, "/f", { read: true, write: true });
  run(both.write("A"));
  assertEquals(run(both.read()), " line\nand another\n");
});

Deno.test("the size of a file counts bytes, not characters", () => {
  const vfs = new Vfs();
  echo(vfs, "µs\n", "/f");
  assertEquals((vfs.stat("/f") as { size: number }).size, 4);
});

Deno.test("a descriptor refuses what it was not opened for", () => {
  const vfs = new Vfs();
  echo(vfs, "x", "/f");
  assertStrictEquals(run(open(vfs, "/f", { write: true }).read()), EBADF);
  assertStrictEquals(run(open(vfs, "/f", { read: true }).write("y")), EBADF);
});

Deno.test("open says ENOENT, ENOTDIR, EISDIR and EEXIST as open(2) does", () => {
  const vfs = new Vfs();
  vfs.mkdir("/d");
  echo(vfs, "", "/f");
  assertStrictEquals(vfs.open("/no", { read: true }), ENOENT);
  assertStrictEquals(vfs.open("/no/f", { write: true, create: true }), ENOENT);
  assertStrictEquals(vfs.open("/f/x", { read: true }), ENOTDIR);
  assertStrictEquals(vfs.open("/f/", { read: true }), ENOTDIR);
  assertStrictEquals(vfs.open("/d", { write: true }), EISDIR);
  assertStrictEquals(vfs.open("/d", { write: true, create: true, truncate: true }), EISDIR);
  assertStrictEquals(vfs.open("/f", { write: true, create: true, exclusive: true }), EEXIST);
  assertStrictEquals(vfs.open("", { read: true }), ENOENT);
  assertStrictEquals(vfs.open(`/${"n".repeat(256)}`, { write: true, create: true }), ENAMETOOLONG);
  // A directory opens for reading; its read fails.
  assertStrictEquals(read(vfs, "/d"), EISDIR);
});

Deno.test("mkdir and remove say EEXIST, ENOENT, ENOTEMPTY and EBUSY as the system calls do", () => {
  const vfs = new Vfs();
  vfs.mkdir("/d");
  assertStrictEquals(vfs.mkdir("/d"), EEXIST);
  assertStrictEquals(vfs.mkdir("/"), EEXIST);
  assertStrictEquals(vfs.mkdir("/a/b"), ENOENT);
  echo(vfs, "", "/d/f");
  assertStrictEquals(vfs.remove("/d"), ENOTEMPTY);
  assertStrictEquals(vfs.remove("/d/g"), ENOENT);
  assertEquals(vfs.remove("/d/f"), undefined);
  assertEquals(vfs.remove("/d"), undefined);
  vfs.mount("/mnt", new MemoryDirectory());
  assertStrictEquals(vfs.remove("/mnt"), EBUSY);
});

Deno.test("names are listed in the order of the C locale", () => {
  const vfs = new Vfs();
  for (const name of ["b", "a", "B", "a1", ".c"]) echo(vfs, "", `/${name}`);
  assertEquals(vfs.list("/"), [".c", "B", "a", "a1", "b"]);
  assertStrictEquals(vfs.list("/a"), ENOTDIR);
});

Deno.test("links are followed, relative to the directory that they are in", () => {
  const vfs = sample();
  assertEquals(read(vfs, "/sys/bus/link/id"), "a\n");
  assertEquals(vfs.realpath("/sys/bus/link"), "/sys/devices/a");
  assertEquals(vfs.readlink("/sys/bus/link"), "../devices/a");
  assertEquals(vfs.stat("/sys/bus/link"), { kind: "directory", mode: 0o755, size: 0 });
  assertEquals(vfs.lstat("/sys/bus/link"), { kind: "link", mode: 0o777, size: 0 });
  assertStrictEquals(vfs.readlink("/sys/vendor"), EINVAL);
  // `..` of a followed link is the directory really above its target.
  assertEquals(vfs.realpath("/sys/bus/link/.."), "/sys/devices");
});

Deno.test("a circle of links ends in ELOOP, and writing through a dangling link makes its target", () => {
  const vfs = new Vfs();
  vfs.symlink("b", "/a");
  vfs.symlink("a", "/b");
  assertStrictEquals(vfs.stat("/a"), ELOOP);
  vfs.symlink("target", "/dangling");
  assertStrictEquals(vfs.stat("/dangling"), ENOENT);
  assertEquals(echo(vfs, "x", "/dangling"), 1);
  assertEquals(read(vfs, "/target"), "x");
});

Deno.test("a hard link shares contents, a rename moves them", () => {
  const vfs = new Vfs();
  vfs.mkdir("/d");
  echo(vfs, "x", "/f");
  assertEquals(vfs.link("/f", "/d/g"), undefined);
  echo(vfs, "y", "/d/g");
  assertEquals(read(vfs, "/f"), "y");
  assertEquals(vfs.rename("/f", "/d/h"), undefined);
  assertStrictEquals(vfs.stat("/f"), ENOENT);
  assertEquals(read(vfs, "/d/h"), "y");
  assertStrictEquals(vfs.rename("/d", "/d/inside"), EINVAL);
  assertStrictEquals(vfs.link("/d", "/e"), EPERM);
  vfs.mount("/tmp", new MemoryDirectory());
  assertStrictEquals(vfs.rename("/d/h", "/tmp/h"), EXDEV);
});

Deno.test("a store takes time and sees the newline", () => {
  const vfs = sample();
  stores.length = 0;
  const activity = open(vfs, "/sys/online", { write: true }).write("0\n");
  assertStrictEquals(activity.next(0).value, slow);
  assertEquals(stores, []);
  assertEquals(activity.next(0), { done: true, value: 2 });
  assertEquals(stores, ["0\n"]);
});

Deno.test("an attribute refuses a value with its errno and ignores an empty write", () => {
  const vfs = sample();
  stores.length = 0;
  assertStrictEquals(echo(vfs, "2\n", "/sys/online"), EINVAL);
  assertEquals(echo(vfs, "", "/sys/online"), 0);
  assertEquals(stores, ["2\n"]);
});

Deno.test("modes of sysfs bind root: 0444 cannot be written, 0200 cannot be read", () => {
  const vfs = sample();
  assertStrictEquals(vfs.open("/sys/vendor", { write: true }), EACCES);
  assertStrictEquals(vfs.open("/sys/vendor", { write: true, create: true, truncate: true }), EACCES);
  assertStrictEquals(vfs.open("/sys/bind", { read: true }), EACCES);
  assertEquals(echo(vfs, "x\n", "/sys/bind"), 2);
  assertEquals(vfs.stat("/sys/vendor"), { kind: "file", mode: 0o444, size: 4096 });
});

Deno.test("nothing can be made or removed in sysfs", () => {
  const vfs = sample();
  assertStrictEquals(echo(vfs, "x", "/sys/new"), EACCES);
  assertStrictEquals(echo(vfs, "x", "/sys/no/new"), ENOENT);
  assertStrictEquals(vfs.mkdir("/sys/foo"), EPERM);
  assertStrictEquals(vfs.remove("/sys/vendor"), EPERM);
  assertStrictEquals(vfs.remove("/sys/devices"), EPERM);
  assertStrictEquals(vfs.remove("/sys/foo"), ENOENT);
});

Deno.test("Linux 3.5 says ENOENT where a file of sysfs would have to be made", () => {
  const vfs = sample(SYSFS_3_5);
  assertStrictEquals(echo(vfs, "x", "/sys/new"), ENOENT);
  assertStrictEquals(vfs.mkdir("/sys/foo"), ENOENT);
});

Deno.test("procfs lets root open everything and answers EIO where it cannot read or write", () => {
  const vfs = sample(PROCFS);
  assertStrictEquals(echo(vfs, "x\n", "/sys/vendor"), EIO);
  assertStrictEquals(read(vfs, "/sys/bind"), EIO);
  assertStrictEquals(echo(vfs, "x", "/sys/new"), ENOENT);
  assertEquals((vfs.stat("/sys/vendor") as { size: number }).size, 0);
});

Deno.test("a text is made once per open file, so two reads of it agree", () => {
  let reads = 0;
  const vfs = new Vfs();
  vfs.mount(
    "/proc",
    directory({ count: { kind: "attribute", mode: 0o444, show: () => `${++reads} reads\n` } }),
    PROCFS,
  );
  const file = open(vfs, "/proc/count", { read: true });
  assertEquals([run(file.read(2)), run(file.read()), run(file.read())], ["1 ", "reads\n", ""]);
  assertEquals(read(vfs, "/proc/count"), "2 reads\n");
});

Deno.test("a device opens itself", () => {
  const vfs = new Vfs();
  const dev = new MemoryDirectory();
  dev.set("none", { kind: "device", mode: 0o666, number: [1, 7], open: () => ENOENT });
  vfs.mount("/dev", dev);
  assertEquals(vfs.stat("/dev/none"), { kind: "device", mode: 0o666, size: 0, number: [1, 7] });
  assertInstanceOf(vfs.open("/dev/none", { read: true }), Errno);
});

Deno.test("a mount hides what was there and makes missing directories", () => {
  const vfs = new Vfs();
  vfs.mkdir("/tmp");
  echo(vfs, "x", "/tmp/f");
  vfs.mount("/tmp", new MemoryDirectory());
  assertEquals(vfs.list("/tmp"), []);
  vfs.mount("/sys/fs/cgroup", new MemoryDirectory());
  assertEquals(vfs.list("/sys/fs"), ["cgroup"]);
  const computed = sample();
  assertThrows(() => computed.mount("/sys/nowhere", new MemoryDirectory()), RangeError);
});
