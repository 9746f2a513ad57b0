// Content in blocks of a fixed size, each compressed by itself, side by side, and put together in order: the same bytes in, the same bytes
// out, however they were cut and whichever block was ready first.

import { Allowance, blockPool, type BlockAnswer } from "./block-pool.ts";
import type { Converter, Outlet } from "./converter.ts";

export interface BlockRecipe {
  readonly algorithm: "gzip" | "zstd";
  /** The library's own level. */
  readonly level: number;
  /** Bytes of each block but the last. */
  readonly blockBytes: number;
}

interface Block {
  readonly answer: Promise<BlockAnswer>;
  isReady: boolean;
}

export class BlockConverter implements Converter {
  readonly #recipe: BlockRecipe;
  readonly #outlet: Outlet;
  readonly #signal: AbortSignal;
  readonly #allowance = new Allowance();
  /** Blocks that are being compressed, in their order. */
  readonly #blocks: Block[] = [];
  /** The block that is being filled, and how many bytes it has. */
  #open: Uint8Array<ArrayBuffer> | undefined;
  #filled = 0;
  #isEmpty = true;

  constructor(recipe: BlockRecipe, outlet: Outlet, signal: AbortSignal) {
    this.#recipe = recipe;
    this.#outlet = outlet;
    this.#signal = signal;
  }

  async write(chunk: Buffer): Promise<void> {
    for (let at = 0; at < chunk.length;) {
      this.#open ??= await this.#begin();
      const piece = chunk.subarray(at, at + this.#open.length - this.#filled);
      this.#open.set(piece, this.#filled);
      this.#filled += piece.length;
      at += piece.length;
      if (this.#filled === this.#open.length) this.#finish(this.#open);
    }
    while (this.#blocks[0]?.isReady === true) await this.#pass();
  }

  async end(): Promise<void> {
    // Nothing, compressed, is one empty block.
    if (this.#isEmpty) this.#open ??= await this.#begin();
    if (this.#open !== undefined) this.#finish(this.#open);
    while (this.#blocks.length > 0) await this.#pass();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled(this.#blocks.map(({ answer }) => answer));
    this.#allowance.clear();
  }

  async #begin(): Promise<Uint8Array<ArrayBuffer>> {
    // Who is not allowed another one has one under way.
    while (!this.#allowance.tryTake()) await this.#pass();
    this.#isEmpty = false;
    this.#filled = 0;
    return new Uint8Array(blockPool.memory(this.#recipe.blockBytes));
  }

  #finish({ buffer: memory }: Uint8Array<ArrayBuffer>): void {
    const { algorithm, level } = this.#recipe;
    const task = { memory, length: this.#filled, algorithm, level };
    const block: Block = { answer: blockPool.run(task, this.#signal), isReady: false };
    const settled = (): void => void (block.isReady = true);
    block.answer.then(settled, settled);
    this.#blocks.push(block);
    this.#open = undefined;
  }

  /** Hands on the first of the blocks. */
  async #pass(): Promise<void> {
    const answer: BlockAnswer | undefined = await this.#blocks[0]?.answer;
    if (answer === undefined) return;
    const { memory, output } = answer;
    this.#blocks.shift();
    blockPool.keep(memory);
    await this.#outlet.pass(Buffer.from(output.buffer, output.byteOffset, output.byteLength));
    this.#allowance.giveBack();
  }
}
