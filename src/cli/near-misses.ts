import { Command, InvalidArgumentError } from "@commander-js/extra-typings";
import { diffChars } from "diff";

/** As much alike as names that Python's difflib, which names near networks, takes for near. */
const ALIKE = 0.6;

/**
 * A command that answers a near miss of an option, or of one of its choices, with the right name. Commander's own answer
 * does not come where a required option is missing, which may be the misspelt one, nor where a name is cut short, has a
 * word more, or is spelled as elsewhere (`--batch_size` for `--batch`).
 */
export class ForgivingCommand extends Command {
  override createCommand(name?: string): ForgivingCommand {
    return new ForgivingCommand(name);
  }

  override parseOptions(args: string[]): ReturnType<Command["parseOptions"]> {
    const parsed = super.parseOptions(args);
    const [first] = parsed.unknown;
    const hasHelp = parsed.unknown.includes("--help") || parsed.unknown.includes("-h");
    if (this.commands.length === 0 && first !== undefined && !hasHelp) {
      const name = first.replace(/=.*/s, "");
      const right = nearestOption(
        name,
        this.options.flatMap(({ long }) => (long ? [long] : [])),
      );
      const hint = right === undefined ? "" : `\n(Did you mean ${right}?)`;
      this.error(`error: unknown option '${name}'${hint}`, { code: "commander.unknownOption" });
    }
    return parsed;
  }
}

/** The option most alike, however its words are joined; else one of the same first words. */
function nearestOption(name: string, options: readonly string[]): string | undefined {
  const asked = words(name);
  const spelled = new Map(options.map((option) => [words(option).join("-"), option]));
  const [alike = ""] = nearest(asked.join("-"), [...spelled.keys()]);
  return (
    spelled.get(alike) ??
    options.find((option) => {
      const own = words(option);
      return asked.every((word, index) => own[index] === word) || own.every((word, index) => asked[index] === word);
    })
  );
}

/** The names that are most like a word, at most three, the nearest first. */
export function nearest(word: string, names: readonly string[]): string[] {
  return names
    .map((name) => ({ name, likeness: likeness(word.toLowerCase(), name.toLowerCase()) }))
    .filter((each) => each.likeness >= ALIKE)
    .toSorted((a, b) => b.likeness - a.likeness)
    .slice(0, 3)
    .map(({ name }) => name);
}

/** ` Did you mean ...?`, or nothing. */
export function didYouMean(word: string, names: readonly string[]): string {
  const near = nearest(word, names);
  return near.length > 0 ? ` Did you mean ${near.join(" or ")}?` : "";
}

/** A parser of what is one of some words. */
export function oneOf<Word extends string>(choices: readonly Word[]): (text: string) => Word {
  return (text) => {
    const chosen = choices.find((each) => each === text);
    if (chosen === undefined) {
      throw new InvalidArgumentError(`Allowed choices are ${choices.join(", ")}.${didYouMean(text, choices)}`);
    }
    return chosen;
  };
}

/** The share of the letters of two words that they have in common, in order; two neighbours that changed places are one slip. */
function likeness(one: string, other: string): number {
  if (isSwapped(one, other)) {
    return 1 - 1 / one.length ** 2;
  }
  const common = diffChars(one, other)
    .filter(({ added, removed }) => !(added || removed))
    .reduce((sum, { count }) => sum + count, 0);
  return (2 * common) / Math.max(1, one.length + other.length);
}

function isSwapped(one: string, other: string): boolean {
  const at = Array.from(one).findIndex((letter, index) => letter !== other[index]);
  return at >= 0 && one.slice(0, at) + (one[at + 1] ?? "") + one[at] + one.slice(at + 2) === other;
}

/** `--trials_perRound` is trials, per, round. */
function words(option: string): string[] {
  return option
    .replace(/^-+/, "")
    .replaceAll(/([a-z])([A-Z])/g, "$1-$2")
    .toLowerCase()
    .split(/[-_]/);
}
