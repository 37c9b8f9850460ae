/**
 * Functions that live no longer than the laboratory they belong to.
 *
 * @module
 */

/**
 * Answers `f`: what is to be written where a function that refers to a part of the model is kept in a property of another.
 *
 * V8 takes a function that is written right behind `x.y =` for a piece of the program, and puts it where only a full collection
 * looks. Whatever it refers to, the whole laboratory in the end, is kept until then, and is moved there too.
 */
export function young<F>(f: F): F {
  return f;
}
