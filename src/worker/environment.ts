/**
 * Does something with other variables in this process's environment, undefined: without, and puts them back. `act` is
 * over when it returns, so that nothing else of this process's JavaScript sees them. For libraries that cannot be told
 * otherwise.
 */
export function withEnvironment<T>(changes: Readonly<Record<string, string | undefined>>, act: () => T): T {
  const kept = Object.keys(changes).map((name) => [name, process.env[name]] as const);
  try {
    set(Object.entries(changes));
    return act();
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
