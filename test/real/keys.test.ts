import assert from "node:assert/strict";
import { once } from "node:events";
import { chmod, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { execa } from "execa";
import { Dealer } from "zeromq";
import { awaitedWorker } from "../../src/worker/awaited-worker.js";
import { type ClientKeys, makeKeys, readServerKeys, writeKeys } from "../../src/worker/curve.js";
import { pythonFolder, tvmPython } from "../../src/worker/installation.js";
import { startWorker } from "../../src/worker/start.js";
import { type Address, type StartPeer, ZeroMqChannel } from "../../src/worker/zeromq-channel.js";
import { freePort } from "../helpers/free-port.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";

const SECONDS = 1000;

describe("a worker over tcp", () => {
  const { server, client } = makeKeys();
  let channel: ZeroMqChannel;
  let address: Address;
  const startPeer: StartPeer = (at, ended) => {
    address = at;
    return awaitedWorker(at, ended);
  };
  let received: string[];
  let arrived: Promise<void>;

  beforeEach(async () => {
    received = [];
    let arrive: () => void;
    arrived = new Promise((resolve) => {
      arrive = resolve;
    });
    channel = new ZeroMqChannel(startPeer, "tcp://127.0.0.1:*", server);
    await channel.open({
      message: (bytes) => {
        received.push(String(bytes));
        arrive();
      },
      lost: (reason) => received.push(reason),
    });
  });
  afterEach(() => channel.close(0));

  async function say(word: string, keys: Partial<ClientKeys>): Promise<Dealer> {
    const socket = new Dealer({ linger: 0 });
    if (keys.server !== undefined) {
      socket.curveServerKey = keys.server;
      socket.curvePublicKey = keys.publicKey ?? null;
      socket.curveSecretKey = keys.secretKey ?? null;
    }
    socket.connect(address.endpoint);
    await socket.send(word);
    return socket;
  }

  it("is heard with the right key; one without, with a wrong one or in plain text is not", async () => {
    const strangers: [string, Partial<ClientKeys>, RegExp][] = [
      ["plain", {}, /^handshake:error/],
      ["unknown client", { ...makeKeys().client, server: client.server }, /^handshake:error:auth$/],
      ["wrong server key", { ...client, server: makeKeys().client.server }, /^handshake:error/],
    ];
    for (const [word, keys, error] of strangers) {
      const socket = await say(word, keys);
      assert.match(await refused(socket), error, word);
      socket.close();
    }
    const socket = await say("the right key", client);
    await arrived;
    assert.deepEqual(received, ["the right key"]);
    socket.close();
  });

  it("is still heard after others have sent rubbish to the port", async () => {
    const { port } = new URL(address.endpoint.replace("tcp:", "http:"));
    const rubbish = [Buffer.alloc(0), Buffer.alloc(100_000, 0xff), Buffer.from("GET / HTTP/1.1\r\n\r\n")];
    for (const bytes of rubbish) {
      const stranger = connect(Number(port), "127.0.0.1").on("error", () => undefined);
      await once(stranger, "connect");
      stranger.write(bytes);
      stranger.destroy();
    }
    const socket = await say("the right key", client);
    await arrived;
    assert.deepEqual(received, ["the right key"]);
    socket.close();
  });

  it("that we start on loopback gets keys of its own, which the user need not know of", async () => {
    const worker = await startWorker({ endpoint: "tcp://127.0.0.1:*" });
    await worker.request("ping", {}, { deadlineMs: 10 * SECONDS });
    await worker.close();
  });

  it("beyond loopback needs keys, and over ipc can have none", async () => {
    await assert.rejects(startWorker({ endpoint: "tcp://0.0.0.0:*" }), /not on this machine, and there are no keys/);
    const overIpc = new ZeroMqChannel(awaitedWorker, "ipc:///nowhere/worker", server);
    await assert.rejects(overIpc.open({ message: () => undefined, lost: () => undefined }), /Expected --endpoint tcp/);
  });
});

describe("familyseer keys", () => {
  let folder: string;
  before(async () => {
    folder = await temporaryFolder();
  });

  it("makes files that only the user can read, shows no secret, and overwrites none", async () => {
    const keys = join(folder, "keys");
    const made = await execa("node", ["scripts/familyseer.js", "keys", keys]);
    const files = (await readdir(keys, { recursive: true })).filter((name) => name.includes("."));
    assert.equal(files.length, 4);
    for (const name of files) {
      assert.equal((await stat(join(keys, name))).mode & 0o777, 0o600);
      const [secret] = /(?<=secret-key = ").*(?=")/.exec(await readFile(join(keys, name), "utf8")) ?? [];
      assert.equal(secret === undefined, name.endsWith(".key"));
      assert.ok(secret === undefined || !made.stdout.includes(secret));
    }
    const again = await execa("node", ["scripts/familyseer.js", "keys", keys], { reject: false });
    assert.equal(again.exitCode, 2);
    assert.match(again.stderr, /There are keys already/);
  });

  it("that others could have read, or that are none, are refused", async () => {
    writeKeys(join(folder, "open"));
    const server = join(folder, "open", "server");
    const client = join(folder, "open", "client");
    await chmod(join(server, "server.key_secret"), 0o640);
    assert.throws(() => readServerKeys(server), /open to others/);
    assert.throws(() => readServerKeys(client), /no keys in/);
    await chmod(join(server, "server.key_secret"), 0o600);
    await writeFile(join(server, "client.key"), 'public-key = "short"\n');
    assert.throws(() => readServerKeys(server), /has no public CURVE key/);
    await chmod(join(client, "client.key_secret"), 0o604);
    assert.match((await elsewhere("tcp://127.0.0.1:1", client)).stderr, /open to others/);
  });

  it("let a worker in that the user starts elsewhere; it ends when its connection does", async () => {
    const keys = join(folder, "elsewhere");
    writeKeys(keys);
    const endpoint = `tcp://127.0.0.1:${await freePort()}`;
    const started = elsewhere(endpoint, join(keys, "client"));
    const worker = await startWorker({ endpoint, keys: join(keys, "server") });
    await worker.request("ping", {}, { deadlineMs: 10 * SECONDS });
    await worker.close(true);
    const { exitCode, stderr } = await started;
    assert.equal(exitCode, 1);
    assert.match(stderr, /is gone, or cannot be reached any more/);
  });

  it("of another orchestrator are refused, and the worker says so", async () => {
    const keys = join(folder, "mine");
    writeKeys(keys);
    writeKeys(join(folder, "foreign"));
    const endpoint = `tcp://127.0.0.1:${await freePort()}`;
    const channel = new ZeroMqChannel(awaitedWorker, endpoint, readServerKeys(join(keys, "server")));
    await channel.open({ message: () => assert.fail("A stranger was heard."), lost: () => undefined });
    const { exitCode, stderr } = await elsewhere(endpoint, join(folder, "foreign", "client"));
    assert.equal(exitCode, 1);
    assert.match(stderr, /ended the handshake/);
    await channel.close(0);
  });
});

/** Waits until ZeroMQ says that the handshake went wrong, or the connection ended. */
async function refused(socket: Dealer): Promise<string> {
  for (;;) {
    const { type } = await socket.events.receive();
    if (type.startsWith("handshake:error") || type === "disconnect") {
      return type;
    }
  }
}

function elsewhere(endpoint: string, keys: string) {
  return execa(tvmPython(), ["-m", "familyseer.worker", "--connect", endpoint, "--keys", keys], {
    env: { PYTHONPATH: pythonFolder },
    stdin: "ignore",
    reject: false,
  });
}
