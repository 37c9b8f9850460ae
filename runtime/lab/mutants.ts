/**
 * The mutants that `boot` takes.
 *
 * @module
 */

export { type Mutant, mutantNamed, MUTANTS } from "../kvm/protocol.ts";
