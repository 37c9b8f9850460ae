/**
 * The mutants that `boot` takes.
 *
 * @module
 */

export { type Mutant, mutantNamed, MUTANTS, UNMODELLED_MUTANTS } from "../kvm/protocol.ts";
