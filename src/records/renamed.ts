/** Gives fields of an object the names they have now, which older files, and those of other programs, have under others. */
export function renamed(names: Readonly<Record<string, string>>): (content: unknown) => unknown {
  return (content) =>
    typeof content === "object" && content !== null && !Array.isArray(content)
      ? Object.fromEntries(Object.entries(content).map(([name, value]) => [names[name] ?? name, value]))
      : content;
}
