/**
 * What lives no longer than the laboratory it belongs to.
 *
 * Some are kept by V8 where only a full collection looks, with whatever they refer to, the whole laboratory in the end: a
 * function that is written right behind `x.y =`, a getter that is written into an object, and a generator function that is
 * written inside another function, since each time one is made it gets a class of its own for what it returns. So the
 * first are passed through {@linkcode young}, and of the others there are none in what a laboratory is made of: a class
 * has the getter, a function of the module or a method is the generator.
 *
 * The same befalls what is written as a literal, `{ … }` or `[ … ]`: once V8 has seen a hundred from the same place, and nearly
 * all of them still there at the next collection, it makes the others in old space to begin with. A laboratory that runs long
 * shows it as many as it has. So that of which each one has a dozen or more, and which leads to the rest of it, is an object
 * of a class (files and directories that are computed, mounts, tracepoints, placed registers, sources of the background),
 * is made when it is asked for, or is a constant of its module (register tables, the first routes).
 *
 * @module
 */

/**
 * Answers `f`: what is to be written where a function that refers to a part of the model is kept in a property of another.
 *
 * V8 takes it for a piece of the program otherwise.
 */
export function young<F>(f: F): F {
  return f;
}
