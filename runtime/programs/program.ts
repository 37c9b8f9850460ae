/**
 * Programs: what runs in user space of any kernel, host or guest, and cannot tell which.
 *
 * @module
 */

import type { Activity } from "../../hw/sim/activity.ts";
import type { Kernel } from "../linux/kernel.ts";
import type { CpuMask, Task } from "../linux/task.ts";
import type { CyclictestResult } from "./cyclictest.ts";

/** A process, as its program sees it. */
export interface ProgramProcess {
  /** Its process id. */
  readonly pid: number;
  /** Its name and arguments. */
  readonly argv: readonly string[];
  /** The kernel it runs on. */
  readonly kernel: Kernel;
  /** Its first thread. */
  readonly task: Task;
  /** The kernel's CPUs that the process knows, its processor 0 first. */
  readonly processors: readonly number[];
  /** Writes to descriptor 1. */
  stdout(text: string): void;
  /** Writes to descriptor 2. */
  stderr(text: string): void;
  /** Hands a measurement to the laboratory. */
  measured(result: CyclictestResult): void;
  /** Tells how far a long run has come, 0 … 1. */
  progress(fraction: number): void;
}

/** A program. */
export interface Program {
  /** What it is called by. */
  readonly name: string;
  /** One line for `help`. */
  readonly summary: string;
  /** Its life; returns the exit status. */
  main(process: ProgramProcess): Activity<number>;
}

/** The mask of the kernel CPUs that `processors` are. */
export function maskOf(processors: readonly number[]): CpuMask {
  return processors.reduce((mask, cpu) => mask | (1 << cpu), 0);
}
