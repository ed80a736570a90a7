/** Does something with other variables in this process's environment, undefined: without, and puts them back. */
export async function withEnvironment<T>(
  changes: Readonly<Record<string, string | undefined>>,
  act: () => T | Promise<T>,
): Promise<T> {
  const kept = Object.keys(changes).map((name) => [name, process.env[name]] as const);
  try {
    set(Object.entries(changes));
    return await act();
  } finally {
    set(kept);
  }
}

function set(variables: readonly (readonly [string, string | undefined])[]): void {
  for (const [name, value] of variables) {
    if (value === undefined) {
      delete process.env[name];
    } else {
      process.env[name] = value;
    }
  }
}
