/** The package has no types; the part of it that is used here. */
declare module "fs-native-extensions" {
  /** Whether the kernel granted this open file an exclusive lock (Linux: F_OFD_SETLK). */
  export function tryLock(fd: number): boolean;
}
