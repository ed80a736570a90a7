import { resolve } from "node:path";
import type { Command } from "@commander-js/extra-typings";
import { writeKeys } from "../worker/curve.js";
import { example, type Finish } from "./command.js";
import { EXIT } from "./exit-code.js";

export function addKeys(program: Command, finish: Finish): void {
  const command = program
    .command("keys")
    .description("make keys for a worker on another host: what connects without them is refused")
    .argument("<folder>", "where to write them: FOLDER/server stays here, FOLDER/client goes to the worker's host")
    .option("--json", "print an object: the files, and the folders of both sides")
    .action((folder, { json }) => {
      const files = writeKeys(resolve(folder));
      if (json) {
        const [server, client] = ["server", "client"].map((side) => resolve(folder, side));
        console.log(JSON.stringify({ server, client, files }, null, 2));
        finish(EXIT.done);
        return;
      }
      console.log(files.join("\n"));
      console.log(
        "\nMove the folder client to the worker's host, over ssh. Then:\n" +
          `  here   familyseer tune --endpoint tcp://ADDRESS:PORT --keys ${folder}/server ...\n` +
          "  there  python -m familyseer.worker --connect tcp://ADDRESS:PORT --keys client",
      );
      finish(EXIT.done);
    });
  example(command, "familyseer keys ~/familyseer-keys");
}
