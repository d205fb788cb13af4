import type { Random } from '../world/random.js';
import type { World } from '../world/world.js';

/** One direction of the socket between a node and an engine process: messages arrive in order, each a moment later. */
export class IpcPipe {
  readonly #world: World;
  readonly #random: Random;
  readonly #deliver: (run: () => void) => void;
  #lastArrivalMs = 0;
  #underWay: { run: (() => void) | undefined }[] = [];

  /** `deliver` brings a message to its receiver, if that one still lives. */
  constructor(world: World, random: Random, deliver: (run: () => void) => void) {
    this.#world = world;
    this.#random = random;
    this.#deliver = deliver;
  }

  send(run: () => void): void {
    const message: { run: (() => void) | undefined } = { run };
    this.#underWay.push(message);
    this.#lastArrivalMs = Math.max(this.#lastArrivalMs, this.#world.nowMs + this.#random.fraction() * 0.5);
    this.#world.schedule(this.#lastArrivalMs - this.#world.nowMs, () => {
      this.#underWay = this.#underWay.filter((other) => other !== message);
      if (message.run) this.#deliver(message.run);
    });
  }

  /** The sender died: it had not written everything yet. What it wrote last is lost, from some message on. */
  breakOff(): void {
    const written = this.#random.below(this.#underWay.length + 1);
    for (const message of this.#underWay.slice(written)) message.run = undefined;
  }
}
