import type { FastifyInstance } from 'fastify'
import { SiblingContexts } from '../contract/errors.js'

const kPackages = Symbol.for('@x/cache-core.packages')

/** The names of the packages of the suite that are registered in any context of an app. */
export function packagesOf (fastify: FastifyInstance): Set<string> {
  // Each Fastify context inherits from the app, so that all contexts share this property of the app.
  let app: FastifyInstance & { [kPackages]?: Set<string> } = fastify
  for (let around = Object.getPrototypeOf(app); around !== null && around !== Object.prototype; around = Object.getPrototypeOf(app)) {
    app = around
  }
  return (app[kPackages] ??= new Set())
}

/**
 * Throws `CACHE_ERR_SIBLING_CONTEXTS` if the package `name` of the suite is registered in any context of the app. The caller has found that
 * neither this context nor one around it has the package.
 */
export function refuseSiblings (fastify: FastifyInstance, name: string): void {
  const packages = packagesOf(fastify)
  if (packages.has(name)) throw new SiblingContexts(name)
  packages.add(name)
}
