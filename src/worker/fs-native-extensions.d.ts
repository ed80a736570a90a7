/** What is used of it; it has no types of its own. The lock is the kernel's, on the open file: it ends with its process. */
declare module "fs-native-extensions" {
  export function tryLock(descriptor: number): boolean;
}
