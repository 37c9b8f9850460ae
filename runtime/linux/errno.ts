/**
 * Error numbers of system calls.
 *
 * A function of the simulated kernel answers `T | Errno` and its caller asks `result instanceof Errno`: a refused
 * write is a result, not a failure of the program, so an {@linkcode Errno} is never thrown.
 *
 * *Document*: `include/uapi/asm-generic/errno-base.h` and `errno.h` for the numbers (x86 uses the generic ones),
 * the C library's `strerror` for the texts. On Linux `EWOULDBLOCK` is `EAGAIN` and `ENOTSUP` is `EOPNOTSUPP`.
 *
 * ```ts
 * import { EINVAL, Errno } from "./errno.ts";
 *
 * function parseOnline(text: string): boolean | Errno {
 *   return text === "1\n" ? true : text === "0\n" ? false : EINVAL;
 * }
 * const answer = parseOnline("2\n");
 * if (answer instanceof Errno) console.log(answer.message); // Invalid argument
 * ```
 *
 * @module
 */

/** One error number with its name and text. There is one object per number: `===` compares. */
export class Errno {
  /** Not for direct use: the constants below are all there are. */
  constructor(
    /** The symbol, `"EINVAL"`. */
    readonly name: string,
    /** The positive number, 22 for `EINVAL`; the kernel returns it negated. */
    readonly number: number,
    /** What `strerror` prints, `"Invalid argument"`. */
    readonly message: string,
  ) {}

  /** `EINVAL (Invalid argument)`, for messages of tests and traces. */
  toString(): string {
    return `${this.name} (${this.message})`;
  }
}

/** Operation not permitted. */
export const EPERM: Errno = new Errno("EPERM", 1, "Operation not permitted");
/** No such file or directory. */
export const ENOENT: Errno = new Errno("ENOENT", 2, "No such file or directory");
/** No such process. */
export const ESRCH: Errno = new Errno("ESRCH", 3, "No such process");
/** Interrupted system call. */
export const EINTR: Errno = new Errno("EINTR", 4, "Interrupted system call");
/** Input/output error. */
export const EIO: Errno = new Errno("EIO", 5, "Input/output error");
/** No such device or address. */
export const ENXIO: Errno = new Errno("ENXIO", 6, "No such device or address");
/** Argument list too long. */
export const E2BIG: Errno = new Errno("E2BIG", 7, "Argument list too long");
/** Exec format error. */
export const ENOEXEC: Errno = new Errno("ENOEXEC", 8, "Exec format error");
/** Bad file descriptor. */
export const EBADF: Errno = new Errno("EBADF", 9, "Bad file descriptor");
/** No child processes. */
export const ECHILD: Errno = new Errno("ECHILD", 10, "No child processes");
/** Resource temporarily unavailable. */
export const EAGAIN: Errno = new Errno("EAGAIN", 11, "Resource temporarily unavailable");
/** Cannot allocate memory. */
export const ENOMEM: Errno = new Errno("ENOMEM", 12, "Cannot allocate memory");
/** Permission denied. */
export const EACCES: Errno = new Errno("EACCES", 13, "Permission denied");
/** Bad address. */
export const EFAULT: Errno = new Errno("EFAULT", 14, "Bad address");
/** Device or resource busy. */
export const EBUSY: Errno = new Errno("EBUSY", 16, "Device or resource busy");
/** File exists. */
export const EEXIST: Errno = new Errno("EEXIST", 17, "File exists");
/** Invalid cross-device link. */
export const EXDEV: Errno = new Errno("EXDEV", 18, "Invalid cross-device link");
/** No such device. */
export const ENODEV: Errno = new Errno("ENODEV", 19, "No such device");
/** Not a directory. */
export const ENOTDIR: Errno = new Errno("ENOTDIR", 20, "Not a directory");
/** Is a directory. */
export const EISDIR: Errno = new Errno("EISDIR", 21, "Is a directory");
/** Invalid argument. */
export const EINVAL: Errno = new Errno("EINVAL", 22, "Invalid argument");
/** Too many open files. */
export const EMFILE: Errno = new Errno("EMFILE", 24, "Too many open files");
/** Inappropriate ioctl for device. */
export const ENOTTY: Errno = new Errno("ENOTTY", 25, "Inappropriate ioctl for device");
/** Text file busy. */
export const ETXTBSY: Errno = new Errno("ETXTBSY", 26, "Text file busy");
/** File too large. */
export const EFBIG: Errno = new Errno("EFBIG", 27, "File too large");
/** No space left on device. */
export const ENOSPC: Errno = new Errno("ENOSPC", 28, "No space left on device");
/** Illegal seek. */
export const ESPIPE: Errno = new Errno("ESPIPE", 29, "Illegal seek");
/** Read-only file system. */
export const EROFS: Errno = new Errno("EROFS", 30, "Read-only file system");
/** Too many links. */
export const EMLINK: Errno = new Errno("EMLINK", 31, "Too many links");
/** Broken pipe. */
export const EPIPE: Errno = new Errno("EPIPE", 32, "Broken pipe");
/** Numerical argument out of domain. */
export const EDOM: Errno = new Errno("EDOM", 33, "Numerical argument out of domain");
/** Numerical result out of range. */
export const ERANGE: Errno = new Errno("ERANGE", 34, "Numerical result out of range");
/** Resource deadlock avoided. */
export const EDEADLK: Errno = new Errno("EDEADLK", 35, "Resource deadlock avoided");
/** File name too long. */
export const ENAMETOOLONG: Errno = new Errno("ENAMETOOLONG", 36, "File name too long");
/** Function not implemented. */
export const ENOSYS: Errno = new Errno("ENOSYS", 38, "Function not implemented");
/** Directory not empty. */
export const ENOTEMPTY: Errno = new Errno("ENOTEMPTY", 39, "Directory not empty");
/** Too many levels of symbolic links. */
export const ELOOP: Errno = new Errno("ELOOP", 40, "Too many levels of symbolic links");
/** No data available. */
export const ENODATA: Errno = new Errno("ENODATA", 61, "No data available");
/** Value too large for defined data type. */
export const EOVERFLOW: Errno = new Errno("EOVERFLOW", 75, "Value too large for defined data type");
/** Operation not supported. */
export const EOPNOTSUPP: Errno = new Errno("EOPNOTSUPP", 95, "Operation not supported");
/** Address already in use. */
export const EADDRINUSE: Errno = new Errno("EADDRINUSE", 98, "Address already in use");
/** Connection timed out. */
export const ETIMEDOUT: Errno = new Errno("ETIMEDOUT", 110, "Connection timed out");
/** Connection refused. */
export const ECONNREFUSED: Errno = new Errno("ECONNREFUSED", 111, "Connection refused");
/** No route to host. */
export const EHOSTUNREACH: Errno = new Errno("EHOSTUNREACH", 113, "No route to host");

/** Every error number above, in the order of the numbers. */
export const ERRNOS: readonly Errno[] = [
  EPERM,
  ENOENT,
  ESRCH,
  EINTR,
  EIO,
  ENXIO,
  E2BIG,
  ENOEXEC,
  EBADF,
  ECHILD,
  EAGAIN,
  ENOMEM,
  EACCES,
  EFAULT,
  EBUSY,
  EEXIST,
  EXDEV,
  ENODEV,
  ENOTDIR,
  EISDIR,
  EINVAL,
  EMFILE,
  ENOTTY,
  ETXTBSY,
  EFBIG,
  ENOSPC,
  ESPIPE,
  EROFS,
  EMLINK,
  EPIPE,
  EDOM,
  ERANGE,
  EDEADLK,
  ENAMETOOLONG,
  ENOSYS,
  ENOTEMPTY,
  ELOOP,
  ENODATA,
  EOVERFLOW,
  EOPNOTSUPP,
  EADDRINUSE,
  ETIMEDOUT,
  ECONNREFUSED,
  EHOSTUNREACH,
];

/** The error with this positive number, or `undefined` if the model has none of that number. */
export function errnoOf(number: number): Errno | undefined {
  return ERRNOS.find((errno) => errno.number === number);
}
