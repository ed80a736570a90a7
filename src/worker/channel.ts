/**
 * Moves whole messages between the orchestrator and one worker, in order, each once.
 * A channel also starts its worker, because two of the three can only talk to one they started. It knows nothing of
 * what the messages say. Implementations pass test/real/channel-contract.test.ts.
 */
export interface Channel {
  readonly name: string;
  /** Starts the worker and begins to deliver; settles when messages can be sent. */
  open(events: ChannelEvents): Promise<void>;
  send(message: Uint8Array): Promise<void>;
  /** Ends the worker and everything it started, by force after `graceMs`; no event follows. Safe to repeat. */
  close(graceMs: number): Promise<void>;
}

export interface ChannelEvents {
  message(bytes: Uint8Array): void;
  /** The worker is gone, and not by `close()`. `lastOutput` is what it printed last, where that can be had. */
  lost(reason: string, lastOutput: readonly string[]): void;
}

export const CHANNELS = ["zeromq", "node-calls-python", "pythonia"] as const;
export type ChannelName = (typeof CHANNELS)[number];
