import { join } from "node:path";
import { execa } from "execa";
import { writeKeys } from "../../src/worker/curve.js";
import { freePort } from "../helpers/free-port.js";

/** Two network namespaces with a cable between them: ours, and one that a worker on another host stands in. */
export class Network {
  readonly #name = `familyseer-${process.pid}`;
  readonly #here = `fs${process.pid}h`.slice(-15);
  readonly #there = `fs${process.pid}t`.slice(-15);
  readonly #addresses = { here: `10.211.${process.pid % 250}.1`, there: `10.211.${process.pid % 250}.2` };

  private constructor(
    private readonly keys: string,
    private readonly port: number,
  ) {}

  static async make(folder: string): Promise<Network> {
    const network = new Network(join(folder, "keys"), await freePort());
    writeKeys(network.keys);
    await network.#lay();
    return network;
  }

  /** Arguments of an orchestrator that listens on the cable. */
  get listen(): string[] {
    return ["--endpoint", this.#endpoint, "--keys", join(this.keys, "server")];
  }

  /** The command line of a worker that connects over it, `worker` being how it is started. */
  connect(worker: readonly string[]): string[] {
    const where = ["--connect", this.#endpoint, "--keys", join(this.keys, "client")];
    return ["ip", "netns", "exec", this.#name, ...worker, ...where];
  }

  async cut(): Promise<void> {
    await ip("netns", "exec", this.#name, "ip", "link", "set", this.#there, "down");
  }

  async restore(): Promise<void> {
    await ip("netns", "exec", this.#name, "ip", "link", "set", this.#there, "up");
  }

  async remove(): Promise<void> {
    await ip("netns", "delete", this.#name);
  }

  get #endpoint(): string {
    return `tcp://${this.#addresses.here}:${this.port}`;
  }

  async #lay(): Promise<void> {
    await ip("netns", "add", this.#name);
    await ip("link", "add", this.#here, "type", "veth", "peer", "name", this.#there, "netns", this.#name);
    await ip("address", "add", `${this.#addresses.here}/30`, "dev", this.#here);
    await ip("link", "set", this.#here, "up");
    await ip("netns", "exec", this.#name, "ip", "address", "add", `${this.#addresses.there}/30`, "dev", this.#there);
    await this.restore();
  }
}

async function ip(...args: string[]): Promise<void> {
  await execa("ip", args);
}
