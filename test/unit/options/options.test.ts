import assert from "node:assert/strict";
import { Command } from "@commander-js/extra-typings";
import { optionsFrom, withAllOptions } from "../../../src/cli/flags.js";
import { asBegun, asJournaled, requireSameOptions } from "../../../src/job/resume.js";
import { complete, valuesOf } from "../../../src/options/defaults.js";
import { withoutEffect } from "../../../src/options/effect.js";
import type { AnyEntries } from "../../../src/options/entry.js";
import type { TuneOptions } from "../../../src/options/options.js";
import { decimal } from "../../../src/options/parsers.js";
import { OPTIONS } from "../../../src/options/table.js";
import { settled } from "../../../src/options/tuner-defaults.js";
import { settingsFor } from "../../../src/options/wire.js";
import type { JobHistory } from "../../../src/records/job-history.js";

const JOB = { model: "mlp", trials: 8, log: "t.log" };

/** What depends on the tuner. */
function ofTuner(tuner: string, options: Partial<TuneOptions> = {}): [string, number] {
  const { searchPolicy, population } = settled(complete({ ...JOB, ...options } as TuneOptions), tuner);
  return [searchPolicy, population];
}

describe("a new option", () => {
  const entries: AnyEntries = {
    ...OPTIONS,
    eagerness: {
      flag: "--eagerness <x>",
      help: "share of measured programs that are used",
      group: "search",
      parse: decimal,
      off: { flag: "--no-eagerness", help: "use none", value: null },
      default: 0.2,
      inFast: 0.5,
      decides: true,
      wire: ["search", "use_measured_ratio"],
    },
  };
  const command = () => withAllOptions(new Command("tune").exitOverride().configureOutput({ writeErr() {} }), entries);
  const required = ["--model", "mlp", "--trials", "8", "--log", "t.log"];
  const parsed = (...args: string[]) => {
    const flags = command()
      .parse([...required, ...args], { from: "user" })
      .opts();
    return complete(optionsFrom(flags, entries));
  };

  it("is in the help under its heading, with both defaults, and is parsed", () => {
    const help = command().helpInformation();
    const [, ofSearch = ""] = /\nSearch:\n(.*?)\n\n/s.exec(help) ?? [];
    assert.match(
      ofSearch.replaceAll(/\s+/g, " "),
      /--eagerness <x> share of .* used \(default: 0\.2; 0\.5 in fast mode\)/,
    );
    assert.match(ofSearch, /--no-eagerness +use none/);
    assert.equal(Object.entries(parsed("--eagerness", "0.7")).find(([name]) => name === "eagerness")?.[1], 0.7);
    assert.equal(Object.entries(parsed("--no-eagerness")).find(([name]) => name === "eagerness")?.[1], null);
    assert.throws(
      () => parsed("--eagerness", "much"),
      /'--eagerness <x>' argument 'much' is invalid. Expected a number/,
    );
  });

  it("is in the defaults of both modes", () => {
    assert.equal(valuesOf("default", entries)["eagerness"], 0.2);
    assert.equal(valuesOf("inFast", entries)["eagerness"], 0.5);
  });

  it("is in the journal, and a job goes on with the same alone, its default where a journal has none", () => {
    const now = parsed("--eagerness", "0.7");
    assert.equal(asJournaled(now, entries)["eagerness"], 0.7);
    const { eagerness: _eagerness, ...ofEarlierVersion } = asJournaled(now, entries);
    const history = { started: { options: ofEarlierVersion }, trials: 8 } as unknown as JobHistory;
    assert.throws(() => requireSameOptions(now, history, entries), /other options: eagerness was 0\.5 and is 0\.7\./);
    requireSameOptions(parsed("--eagerness", "0.5"), history, entries);
  });

  it("is as it was before it was there, in a job that goes on whose journal has none", () => {
    const { eagerness } = entries;
    assert.ok(eagerness);
    const since = { ...entries, eagerness: { ...eagerness, before: null } };
    const usual = parsed("--eagerness", "0.5");
    const { eagerness: _eagerness, ...ofEarlierVersion } = asJournaled(usual, entries);
    const history = { started: { options: ofEarlierVersion }, trials: 8 } as unknown as JobHistory;
    const begun = asBegun(usual, history, since);
    assert.equal(asJournaled(begun, since)["eagerness"], null);
    requireSameOptions(begun, history, since);
    const asked = asBegun(parsed("--eagerness", "0.7"), history, since);
    assert.throws(() => requireSameOptions(asked, history, since), /other options: eagerness was null and is 0\.7\./);
    const known = { started: { options: asJournaled(usual, entries) }, trials: 8 } as unknown as JobHistory;
    assert.deepEqual(asBegun(usual, known, since), usual);
  });

  it("is told to the worker", () => {
    const { use_measured_ratio } = {
      use_measured_ratio: null,
      ...settingsFor("search", settled(parsed("--eagerness", "0.7"), "ansor"), entries),
    };
    assert.equal(use_measured_ratio, 0.7);
  });
});

describe("options", () => {
  it("that are left out are the tuner's own where it has some, and others are as they are asked for", () => {
    assert.deepEqual(ofTuner("ansor"), ["sketch.xgb.family_op", 2048]);
    assert.deepEqual(ofTuner("metaschedule"), ["meta.xgb.family_op", 512]);
    assert.deepEqual(ofTuner("of-my-own"), ofTuner("ansor"));
    assert.deepEqual(ofTuner("metaschedule", { population: 64, searchPolicy: "meta.xgb" }), ["meta.xgb", 64]);
  });

  it("of the two modes are not mixed, say the types", () => {
    const reference: TuneOptions = { ...JOB, mode: "reference", alpha: 0.5 };
    const fast: TuneOptions = { ...JOB, roofline: false };
    // @ts-expect-error A flag of the fast mode.
    const both: TuneOptions = { ...JOB, mode: "reference", roofline: false };
    // @ts-expect-error The fast mode, which is the default, has no gradients.
    const withoutMode: TuneOptions = { ...JOB, alpha: 0.5 };
    assert.deepEqual([reference, fast].map(complete).map(withoutEffect), [[], []]);
    assert.deepEqual(withoutEffect(complete(both)), [
      "roofline is a flag of the fast mode; the reference mode is without it anyway.",
    ]);
    assert.deepEqual(withoutEffect(complete(withoutMode)), [
      "alpha has no effect in fast mode; --mode reference decides by it.",
    ]);
  });

  it("that the policy's own scheduler does not know are told of, by whichever tuner the policy is", () => {
    const limited = complete({ ...JOB, mode: "reference", searchPolicy: "default", trialsPerTask: 8 });
    assert.deepEqual(withoutEffect({ ...limited, tuner: "metaschedule" }), []);
    assert.match(withoutEffect(limited).join(), /^trialsPerTask has no effect with the search policy default, /);
  });

  it("of the fast mode are still taken under their old name", () => {
    const { roofline, descent, ...rest } = complete({ ...JOB, means: { roofline: false, descent: true } });
    assert.deepEqual([roofline, descent], [false, true]);
    assert.ok(!("means" in rest));
    assert.equal(complete({ ...JOB, means: { roofline: false }, roofline: true }).roofline, true);
  });

  it("have the defaults of their mode, also where they are given as undefined", () => {
    const { trialsPerRound, foreseeTrials, seed } = complete({ ...JOB, ...({ seed: undefined } as object) });
    assert.deepEqual([trialsPerRound, foreseeTrials, seed], [null, null, 0]);
    assert.equal(complete({ ...JOB, mode: "reference" }).trialsPerRound, 64);
  });
});
