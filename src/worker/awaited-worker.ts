import type { StartPeer } from "./zeromq-channel.js";

/**
 * A worker that the user starts elsewhere: `python -m familyseer.worker --connect ENDPOINT --keys FOLDER`. It ends by a
 * message, or when its connection does.
 */
export const awaitedWorker: StartPeer = () => ({ lastOutput: [], end: async () => undefined });
