import type { FastifyInstance } from 'fastify'
import { SiblingContexts } from '../contract/errors.js'

const kPackages = Symbol.for('@x/cache-core.packages')

/** The names of the packages that are registered in an app, in whichever context. */
export function packagesOf (fastify: FastifyInstance): Set<string> {
  // Contexts inherit from the app, so a property of the app is common to contexts that share nothing else.
  let app: FastifyInstance & { [kPackages]?: Set<string> } = fastify
  for (let around = Object.getPrototypeOf(app); around !== null && around !== Object.prototype; around = Object.getPrototypeOf(app)) app = around
  return (app[kPackages] ??= new Set())
}

/**
 * Checks that a package is registered in an app once, or in contexts that lie in one another.
 * @throws `CACHE_ERR_SIBLING_CONTEXTS` if it is registered already, in a context that this one does not lie in
 */
export function refuseSiblings (fastify: FastifyInstance, name: string): void {
  const packages = packagesOf(fastify)
  if (packages.has(name)) throw new SiblingContexts(name)
  packages.add(name)
}
