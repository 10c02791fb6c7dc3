import type { Result } from 'ioredis'
import type { Client } from './client.js'
import { SCRIPTS } from '../entries/scripts.js'

declare module 'ioredis' {
  // The methods that `defineScripts` adds to an ioredis client, one per Lua script, and EVAL, which ioredis has without a type. `callBuffer`
  // of ioredis takes the first argument for the command on a client with `enableAutoPipelining` (redis/ioredis#1923).
  interface RedisCommander<Context> {
    evalBuffer (lua: string, numberOfKeys: number, ...args: (string | Buffer | number)[]): Result<unknown, Context>
    cacheLeaseBuffer (entry: string, mark: Buffer, markMs: number, plainPrefix: Buffer | string): Result<Buffer, Context>
    cacheStore (entry: string, header: Buffer, payload: Buffer | string, lifetimeMs: number): Result<number, Context>
    cacheHeadBuffer (entry: string): Result<[Buffer, number] | null, Context>
    cacheTouch (entry: string, head: Buffer | string, changed: Buffer | string, lifetimeMs: number): Result<number, Context>
    cacheUnmark (entry: string, mark: Buffer): Result<number, Context>
    cacheExtend (key: string, lifetimeMs: number, longMs: number): Result<number, Context>
    cacheSoften (key: string, softPart: string): Result<number, Context>
    cacheLock (
      lock: string, fencingCounter: string, dismissed: string, mark: string, ttlMs: number, waitedFor: number
    ): Result<number, Context>
    cacheUnlock (
      lock: string, fencingCounter: string, dismissed: string, mark: string, channel: string, outcome: string, dismissMs: number
    ): Result<number, Context>
    cacheHold (lock: string, mark: string, ttlMs: number): Result<number, Context>
  }
}

/** Adds the Lua scripts to a client as methods; the client sends EVALSHA and falls back to EVAL by itself. */
export function defineScripts (client: Client): void {
  for (const [name, { numberOfKeys, lua }] of Object.entries(SCRIPTS)) client.defineCommand(name, { numberOfKeys, lua })
}
