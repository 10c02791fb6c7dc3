// The door (entry of `exports`) `./implementing`, for authors of caches: the contract, its results and errors, and the checks of arguments
// that every cache makes. `contract/cache.js` is exported as a whole, so that sibling packages can merge their members into
// `ImplementationStatus`.
export type * from './contract/cache.js'
export { DONE, err, MISS, ok, STORED_NULL, type Err, type Ok, type Result } from './contract/result.js'
export {
  auth, corrupt, errorType, failedReply, implementationFailed, isCacheError, keyInvalid, optionUnknown, outOfMemory, readonly, refused,
  tagInvalid,
  timeout, tooLarge, ttlInvalid, unavailable, unserviceable, unsupported, valueInvalid, type CacheError, type CacheErrorCode
} from './contract/errors.js'
export { causeOf, withCause } from './contract/coded-error.js'
export {
  checkKey, checkKeys, checkLockOptions, checkLockTtl, checkSetOptions, checkTags, checkTtl, checkValue,
  MAX_KEY_LENGTH, MAX_TAGS, MAX_TAG_LENGTH, MAX_TTL
} from './contract/arguments.js'
export { serializedBy, type Serializer, type Serializes } from './contract/isolation.js'
export { declineNear, readNear, readNow, shareNear, shareNow, useNow, type EntryUser, type Immediate, type NearReads, type SharedEntry } from './contract/sync-read.js'
