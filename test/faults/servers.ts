import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { tvmPython } from "../../src/worker/installation.js";
import { freePort } from "../helpers/free-port.js";
import { signal } from "./processes.js";

const SERVERS = 2;
const AGAIN_MS = 1000;

/** A user's own tracker and servers, which come back a second after they were killed. */
export class Servers {
  readonly key = "faults";
  readonly #parts: { readonly command: string[]; pid: number }[] = [];
  #ended = false;

  private constructor(
    readonly tracker: string,
    private readonly temporary: string,
  ) {}

  static async start(folder: string): Promise<Servers> {
    const ports = await Promise.all(Array.from({ length: SERVERS + 1 }, freePort));
    const servers = new Servers(`127.0.0.1:${ports[0]}`, join(folder, "servers"));
    await mkdir(servers.temporary);
    for (const [index, port] of ports.entries()) {
      const place = ["--host", "127.0.0.1", "--port", String(port), "--port-end", String(port + 1)];
      const part = index === 0 ? ["rpc_tracker"] : ["rpc_server", "--tracker", servers.tracker, "--key", servers.key];
      const [module = "", ...options] = part;
      servers.#keepUp(["-m", `tvm.exec.${module}`, ...place, ...options]);
    }
    await servers.up();
    return servers;
  }

  /** Waits until the tracker lists all servers. */
  async up(): Promise<void> {
    for (;;) {
      const args = ["scripts/familyseer.js", "devices", "--tracker", this.tracker, "--device-key", this.key, "--json"];
      const { stdout, exitCode } = await execa("node", args, { reject: false });
      if (exitCode === 0 && JSON.parse(stdout).length === SERVERS) {
        return;
      }
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }

  killTracker(): void {
    this.#kill(0);
  }

  killServer(index: number): void {
    this.#kill(1 + (index % SERVERS));
  }

  end(): void {
    this.#ended = true;
    for (const index of this.#parts.keys()) {
      this.#kill(index);
    }
  }

  #kill(index: number): void {
    // TVM's servers do not end with their parents.
    signal(-(this.#parts[index]?.pid ?? 0), "SIGKILL");
  }

  #keepUp(command: string[]): void {
    const part = { command, pid: 0 };
    this.#parts.push(part);
    const run = async () => {
      while (!this.#ended) {
        const process = execa(tvmPython(), command, {
          env: { TMPDIR: this.temporary },
          detached: true,
          stdio: "ignore",
          reject: false,
        });
        part.pid = process.pid ?? 0;
        await process;
        await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
      }
    };
    void run();
  }
}
