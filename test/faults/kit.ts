import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { pythonFolder, tvmPython } from "../../src/worker/installation.js";
import type { Script } from "../helpers/scripted-operations.js";
import { PlainTvm } from "./checks.js";
import { Clock } from "./clock.js";
import type { JobSettings } from "./job.js";
import { Network } from "./network.js";
import { Servers } from "./servers.js";

const SCRIPTED_TRIALS = 120;
const REAL_TRIALS = 12;
const ROUNDS = ["--trials-per-round", "4", "--foresee-trials", "2"];
const QUICK = ["--population", "32", "--generations", "1", "--min-repeat-ms", "5", "--number", "1"];
const LIMITS = ["--build-timeout", "4", "--run-timeout", "2"];
const SCRIPT: Script = { exhausted: null, failsEvery: null, devices: 4, seconds: 0.02 };
const PERFORMER = fileURLToPath(new URL("../helpers/scripted-performer.js", import.meta.url));

/** What faults are done with, made once for all, at the first use. */
export class Kit {
  readonly plainTvm = new PlainTvm();
  #clock: Clock | null = null;
  #network: Network | null = null;
  #servers: Servers | null = null;

  private constructor(private readonly folder: string) {}

  static async make(): Promise<Kit> {
    const folder = await mkdtemp(join(tmpdir(), "familyseer-faults-kit-"));
    const kit = new Kit(folder);
    await kit.#writePython(kit.#python, SCRIPT);
    await kit.#writePython(kit.#metaSchedule, { ...SCRIPT, tuner: "metaschedule" });
    return kit;
  }

  /** A job of a second whose programs are made up. */
  scripted(): JobSettings {
    const rounds = ["--trials-per-round", "8", "--foresee-trials", "4"];
    const trials = ["--trials", String(SCRIPTED_TRIALS)];
    const settings = ["--model", "scripted", "--tvm-python", this.#python, ...rounds, ...trials];
    return {
      arguments: settings,
      environment: { FAMILYSEER_TVM_PYTHON: "" },
      trials: SCRIPTED_TRIALS,
      beginsIn: 700,
    };
  }

  /** The same with a database as its log. */
  scriptedDatabase(): JobSettings {
    const settings = this.scripted();
    const args = settings.arguments.map((each) => (each === this.#python ? this.#metaSchedule : each));
    return { ...settings, arguments: args, database: true };
  }

  /** A job of some 15 seconds on a real TVM. */
  real(): JobSettings {
    const trials = ["--trials", String(REAL_TRIALS)];
    const settings = ["--model", "mlp", "--mode", "reference", ...ROUNDS, ...QUICK, ...LIMITS, ...trials];
    return { arguments: settings, trials: REAL_TRIALS, beginsIn: 4_000 };
  }

  /** The same on the servers of a tracker. */
  async onServers(): Promise<JobSettings> {
    const { tracker, key } = await this.servers();
    const settings = this.real();
    return { ...settings, arguments: [...settings.arguments, "--tracker", tracker, "--device-key", key] };
  }

  /** The command of a scripted worker, but for its arguments. */
  get scriptedWorker(): readonly string[] {
    return ["env", `PYTHONPATH=${pythonFolder}`, this.#python, "-m", "familyseer.worker"];
  }

  async servers(): Promise<Servers> {
    this.#servers ??= await Servers.start(this.folder);
    return this.#servers;
  }

  async network(): Promise<Network> {
    this.#network ??= await Network.make(this.folder);
    return this.#network;
  }

  async clock(): Promise<Clock> {
    this.#clock ??= await Clock.make(this.folder);
    return this.#clock;
  }

  async remove(): Promise<void> {
    await this.plainTvm.end();
    this.#servers?.end();
    await this.#network?.remove();
    await rm(this.folder, { recursive: true, force: true });
  }

  get #python(): string {
    return join(this.folder, "scripted-python");
  }

  get #metaSchedule(): string {
    return join(this.folder, "scripted-metaschedule");
  }

  async #writePython(path: string, script: Script): Promise<void> {
    const worker = `"${tvmPython()}" test/python/scripted_worker.py "${process.execPath}" "${PERFORMER}" "$@"`;
    await writeFile(path, `#!/bin/sh\nexport FAMILYSEER_SCRIPT='${JSON.stringify(script)}'\nexec ${worker}\n`);
    await chmod(path, 0o755);
  }
}

/** Why a command cannot be run here, by trying; null if it can. */
export async function refusal(command: string, ...args: string[]): Promise<string | null> {
  const { failed, stderr, shortMessage } = await execa(command, args, { reject: false });
  return failed ? stderr.trim().split("\n")[0] || (shortMessage ?? "it failed") : null;
}
