/**
 * Functions that live no longer than the laboratory they belong to.
 *
 * Some are kept by V8 where only a full collection looks, with whatever they refer to, the whole laboratory in the end: a
 * function that is written right behind `x.y =`, a getter that is written into an object, and a generator function that is
 * written inside another function, since each time one is made it gets a class of its own for what it returns. So the
 * first are passed through {@linkcode young}, and of the others there are none in what a laboratory is made of: a class
 * has the getter, a function of the module or a method is the generator.
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
