declare module 'cluster-key-slot' {
  /** The Cluster slot of a key, 0 to 16383; a key with a hash tag has the slot of its hash tag. */
  export default function calculateSlot (key: string): number
}
